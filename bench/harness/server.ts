import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { BenchContext } from './bench.ts';

/** The bench's own user. */
export const pat = 'be'.repeat(16);
export const userId = 'admin';

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** What a command needs before it to stay on one core; empty where it cannot. The server has core 0, load core 1. */
export const pinned = (core: number): string[] => (canPin ? ['taskset', '-c', String(core)] : []);
export const pinning = canPin
  ? 'server and its PostgreSQL on core 0, load and peers’ load on core 1'
  : 'none';

export interface BenchServer {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  /** From the start of the process to its first word that it is ready. */
  readonly startedMs: number;
  /** A connection to its database, for loading and for peers. */
  database(): Promise<pg.Client>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly main: string;
  readonly dataDir: string;
  readonly port?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** False leaves it on all cores: for measuring starts. */
  readonly pin?: boolean;
}

/** The server under measurement, with a connection to its database; both are closed when the bench is over. */
export async function openServer(
  context: Pick<BenchContext, 'serverMain' | 'folder' | 'defer'>,
  options: Pick<ServerOptions, 'env' | 'pin'> = {},
): Promise<{ server: BenchServer; db: pg.Client }> {
  const { serverMain: main, folder } = context;
  const server = await startServer({ main, dataDir: join(folder, 'data'), ...options });
  context.defer(() => server.stop());
  const db = await server.database();
  context.defer(() => db.end());
  return { server, db };
}

/** For finding out where the time goes; what is measured meanwhile is worth nothing. */
const profiling = process.env.FOVEA_BENCH_PROFILE
  ? ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', process.env.FOVEA_BENCH_PROFILE]
  : [];

/** Starts the built server in a process tree of its own and waits until it answers. */
export async function startServer(options: ServerOptions): Promise<BenchServer> {
  const { dataDir } = options;
  const [program, ...words] = [
    ...(options.pin === false ? [] : pinned(0)),
    process.execPath,
    ...profiling,
    options.main,
  ];
  const began = performance.now();
  const child = spawn(program as string, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      FOVEA_HOST: '127.0.0.1',
      FOVEA_PORT: String(options.port ?? 0),
      FOVEA_DATA: dataDir,
      FOVEA_PAT: pat,
      FOVEA_USER: userId,
      FOVEA_LOG_LEVEL: 'warn',
      FOVEA_FETCH_ALLOW: '127.0.0.0/8',
      ...options.env,
    },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await addressOf(child);
  const startedMs = performance.now() - began;
  return {
    url,
    pid: child.pid as number,
    dataDir,
    startedMs,
    database: () => connect(dataDir),
    async stop() {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(hard);
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const late = setTimeout(
      () => reject(new Error(`the server is not ready after 120 s:\n${said}`)),
      120_000,
    );
    const hear = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-20_000);
      const found = /Web page\s+(https?:\/\/[^/\s]+)\//.exec(said)?.[1];
      if (!found) return;
      clearTimeout(late);
      resolve(found.replace('localhost', '127.0.0.1'));
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`the server ended with ${code}:\n${said}`));
    });
  });
}

/** The embedded server tells its socket folder in the fifth line of its pid file. */
async function connect(dataDir: string): Promise<pg.Client> {
  const lines = readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n');
  const client = new pg.Client({ host: lines[4] as string, user: 'fovea', database: 'fovea' });
  await client.connect();
  return client;
}
