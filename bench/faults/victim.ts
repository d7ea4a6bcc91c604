import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { atExit, removeFolder } from './at-exit.ts';
import { openWire, type Wire } from './wire.ts';

export const userId = 'admin';
export const pat = 'fa'.repeat(16);

export interface VictimOptions {
  /** The built `main.js`. */
  readonly main: string;
  readonly dataDir: string;
  readonly port: number;
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Where its database is, unless it is the embedded one. */
  readonly databaseUrl?: string;
}

/** A server of our own that may be killed at any time. One of these stands for all its lives. */
export interface Victim {
  readonly url: string;
  readonly dataDir: string;
  readonly wire: Wire;
  pid(): number | undefined;
  isAlive(): boolean;
  /** What it printed since it was started last. */
  said(): string;
  /** Starts it where it is not running, and waits until it takes requests. @returns milliseconds that took */
  ready(patienceMs?: number): Promise<number>;
  /** As `ready`, with other environment variables from now on. */
  readyWith(env: NodeJS.ProcessEnv): Promise<number>;
  /** Starts it without waiting. */
  start(env?: NodeJS.ProcessEnv): void;
  killServer(): Promise<void>;
  killPostgres(): void;
  killBoth(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal, of the running process. */
  ended(): Promise<string>;
  postmasterPid(): number | undefined;
  /** Runs work on a connection of its own, past the server. */
  sql<T>(work: (db: pg.Client) => Promise<T>): Promise<T>;
  /** Stops both and removes the folder. */
  destroy(): Promise<void>;
}

const pollMs = 10;

export function openVictim(options: VictimOptions): Victim {
  const { dataDir, port } = options;
  const url = `http://127.0.0.1:${port}`;
  const wire = openWire(port, pat);
  let child: ChildProcess | undefined;
  let said = '';
  let end: Promise<string> = Promise.resolve('never started');
  let env = options.env ?? {};

  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  const start = (more: NodeJS.ProcessEnv = {}) => {
    said = '';
    const own = spawn(process.execPath, ['--enable-source-maps', options.main], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        FOVEA_HOST: '127.0.0.1',
        FOVEA_PORT: String(port),
        FOVEA_DATA: dataDir,
        FOVEA_PAT: pat,
        FOVEA_USER: userId,
        FOVEA_LOG_LEVEL: 'warn',
        FOVEA_FETCH_ALLOW: '127.0.0.0/8',
        ...env,
        ...more,
      },
    });
    child = own;
    const hear = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-50_000);
    };
    own.stdout?.on('data', hear);
    own.stderr?.on('data', hear);
    end = new Promise((resolve) => own.once('close', (code, signal) => resolve(signal ?? `exit ${code}`)));
  };

  const ready = async (patienceMs = 60_000) => {
    const began = performance.now();
    let starts = 0;
    while (performance.now() - began < patienceMs) {
      if (!isAlive()) {
        starts += 1;
        if (starts > 3) throw new Error(`the server ends instead of starting:\n${said.slice(-1_000)}`);
        start();
      }
      if (await wire.isReady()) return performance.now() - began;
      await sleep(pollMs);
    }
    throw new Error(`the server is not ready after ${patienceMs / 1000} s; it said:\n${said.slice(-1_000)}`);
  };

  const pidFile = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  const postmasterPid = () => {
    try {
      const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
      return pid > 0 && lives(pid) ? pid : undefined;
    } catch {
      return undefined;
    }
  };

  const killServer = async () => {
    if (!isAlive()) return;
    child?.kill('SIGKILL');
    await end;
  };

  /** The postmaster and all its children at once, so that none of them gets to write anything out. */
  const killPostgres = () => {
    const pid = postmasterPid();
    if (pid === undefined) return;
    for (const one of [pid, ...childrenOf(pid)]) {
      try {
        process.kill(one, 'SIGKILL');
      } catch {
        // Ended by itself meanwhile.
      }
    }
  };

  const socketDir = () => readFileSync(pidFile, 'utf8').split('\n')[4] as string;
  const addressOf = (): pg.ClientConfig => {
    if (options.databaseUrl !== undefined) return { connectionString: options.databaseUrl };
    return { host: socketDir(), user: 'fovea', database: 'fovea' };
  };

  /** What a server that was killed leaves outside of its folder. */
  const removeSockets = () => {
    if (existsSync(pidFile) && socketDir()?.startsWith(join(tmpdir(), 'fovea-'))) removeFolder(socketDir());
  };

  const forget = atExit(() => {
    child?.kill('SIGKILL');
    killPostgres();
    removeSockets();
  });

  return {
    url,
    dataDir,
    wire,
    isAlive,
    start,
    ready,
    killServer,
    killPostgres,
    postmasterPid,
    pid: () => (isAlive() ? child?.pid : undefined),
    said: () => said,
    ended: () => end,
    readyWith(more) {
      env = more;
      return ready();
    },
    async killBoth() {
      killPostgres();
      await killServer();
    },
    signal(name) {
      child?.kill(name);
    },
    async sql(work) {
      const client = new pg.Client(addressOf());
      client.on('error', () => {});
      await client.connect();
      try {
        return await work(client);
      } finally {
        await client.end().catch(() => {});
      }
    },
    async destroy() {
      if (isAlive()) {
        child?.kill('SIGTERM');
        const hard = setTimeout(() => child?.kill('SIGKILL'), 15_000);
        await end;
        clearTimeout(hard);
      }
      killPostgres();
      removeSockets();
      forget();
      wire.close();
      removeFolder(dataDir);
    },
  };
}

export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function childrenOf(parent: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name in parentheses may hold spaces; fields are counted from behind it (proc(5)).
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
