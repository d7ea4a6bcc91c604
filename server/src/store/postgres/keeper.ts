import { type ChildProcess, spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mayDie } from '#domain/failpoints.ts';
import type { Log } from '../log.ts';
import { type Account, accountFor, canReach, makePrivateFolder, socketFolderFor } from './account.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { lockFolder } from './folder-lock.ts';
import { isAlive, isServerIn } from './process-facts.ts';
import { settingsText } from './settings.ts';
import { endWhereStill } from './standstill.ts';

export type Keeper = {
  /** Folder of the Unix socket; also what `pg` takes as host. */
  socketDir: string;
  user: string;
  /** True when a server left running by a killed process was taken over. */
  adopted: boolean;
  /** Process id of the server now, or undefined while it is being restarted. */
  pid(): number | undefined;
  /** Resolves when the server takes connections; at once in ordinary times. */
  ready(): Promise<void>;
  /** Stops the server cleanly and gives the data folder back. */
  stop(): Promise<void>;
};

type Server = { pid: number; adopted: boolean; gone: Promise<string> };

type Site = {
  home: string;
  cluster: string;
  /** How the server names its data folder. */
  clusterArgument: string;
  socketDir: string;
  account: Account;
  binaries: Binaries;
  settingsChanged: boolean;
  log: Log;
};

const superuser = 'fovea';

/**
 * Brings up the embedded PostgreSQL of a data folder and keeps it up.
 *
 * The server listens on a Unix socket only. A server that survived a killed Fovea is adopted; one that dies
 * while we run is started again. The server outlives a `kill -9` of this process on purpose: what was
 * committed needs no recovery then, and the next start adopts it.
 *
 * @param options.binDir folder with `initdb` and `postgres`; default: the npm package of this platform
 * @throws FolderInUse when another Fovea owns the folder; Error with one clear line when no server can run
 */
export async function startKeeper(options: { dataDir: string; binDir?: string; log: Log }): Promise<Keeper> {
  mkdirSync(options.dataDir, { recursive: true });
  const lock = await lockFolder(options.dataDir);
  try {
    const site = await prepare(realpathSync(options.dataDir), options.binDir, options.log);
    return await keep(site, () => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function keep(site: Site, released: () => void): Promise<Keeper> {
  let stopping = false;
  let server: Server | undefined = await startPatiently(site, 30_000, () => stopping);
  const { adopted } = server as Server;
  let ready = Promise.resolve();

  const watch = async () => {
    while (server !== undefined) {
      const why = await server.gone;
      if (stopping) return;
      site.log.warn({ why }, 'PostgreSQL went away; starting it again');
      server = undefined;
      const restarted = startPatiently(site, Number.POSITIVE_INFINITY, () => stopping);
      ready = restarted.then(() => {});
      server = await restarted;
      if (server !== undefined) site.log.info({ pid: server.pid }, 'PostgreSQL is back');
    }
  };
  const watching = watch();
  const stopLooking = endWhereStill(() => server?.pid, site.log);

  return {
    socketDir: site.socketDir,
    user: superuser,
    adopted,
    pid: () => server?.pid,
    ready: () => ready,
    async stop() {
      if (stopping) return watching;
      stopping = true;
      stopLooking();
      await ready;
      // Its process does not hold ours: one with nothing else left to do would end before the server has.
      const hold = setInterval(() => {}, 1_000);
      try {
        if (server !== undefined) await stopServer(server.pid, site.log);
        await watching;
      } finally {
        clearInterval(hold);
      }
      if (!site.socketDir.startsWith(site.home)) rmSync(site.socketDir, { recursive: true, force: true });
      released();
    },
  };
}

async function prepare(dataDir: string, binDir: string | undefined, log: Log): Promise<Site> {
  if (process.platform === 'win32') {
    throw new Error(
      'The embedded PostgreSQL does not run on Windows. Set DATABASE_URL to a PostgreSQL of your own.',
    );
  }
  const account = accountFor(dataDir);
  const home = join(dataDir, 'postgres');
  mkdirSync(home, { recursive: true });
  const cluster = join(home, 'cluster');
  const socketDir = socketFolderFor(account, home);
  const site: Site = {
    home,
    cluster,
    socketDir,
    account,
    log,
    clusterArgument: clusterArgument(account, home, cluster),
    binaries: findBinaries(account, binDir, [home, '/var/lib/fovea', `${socketDir}-programs`]),
    settingsChanged: false,
  };
  if (!existsSync(cluster)) await initialise(site);
  checkMajor(site);
  makePrivateFolder(account, socketDir);
  site.settingsChanged = writeSettings(site);
  return site;
}

/**
 * The server's name for its data folder.
 *
 * A borrowed account often cannot walk to the folder (it may lie under /root). The server is started inside
 * it and calls it by this link, which needs no rights on the folders above.
 */
function clusterArgument(account: Account, home: string, cluster: string): string {
  if (canReach(account, home)) return cluster;
  if (process.platform === 'linux') return '/proc/self/cwd';
  throw new Error(
    `User ${account.uid} cannot reach ${home}. Set FOVEA_DATA to a folder it can reach, or DATABASE_URL to a PostgreSQL of your own.`,
  );
}

/** Makes the cluster under a draft name first: one that was interrupted is never mistaken for a whole one. */
async function initialise(site: Site): Promise<void> {
  const { account, binaries, cluster, log } = site;
  const draft = `${cluster}.draft`;
  log.info({ cluster }, 'preparing the database folder');
  rmSync(draft, { recursive: true, force: true });
  makePrivateFolder(account, draft);
  const locale =
    binaries.major >= 17
      ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
      : ['--locale=C'];
  const data = site.clusterArgument === cluster ? draft : site.clusterArgument;
  const child = spawn(
    join(binaries.folder, 'initdb'),
    ['-D', data, '-U', superuser, '-A', 'trust', '-E', 'UTF8', '-k', '--no-instructions', ...locale],
    { ...identity(site), cwd: draft, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const why = await goneOf(child);
  if (why !== 'exit 0') {
    // The usual cause: a user without an entry in /etc/passwd, which initdb insists on.
    const reason = said.trim().replaceAll('\n', ' ') || why;
    throw new Error(
      `PostgreSQL could not prepare ${cluster}: ${reason}. DATABASE_URL can name a PostgreSQL of your own.`,
    );
  }
  mayDie('cluster-drafted');
  renameSync(draft, cluster);
  syncFolder(site.home);
}

function checkMajor({ cluster, binaries }: Site): void {
  const made = Number(readFileSync(join(cluster, 'PG_VERSION'), 'utf8'));
  if (made === binaries.major) return;
  throw new Error(
    `${cluster} was made by PostgreSQL ${made}, this is PostgreSQL ${binaries.major}. ` +
      `Set FOVEA_PG_BIN to a folder with the programs of PostgreSQL ${made}.`,
  );
}

function writeSettings({ cluster, account }: Site): boolean {
  const file = join(cluster, 'fovea.conf');
  const text = settingsText();
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return false;
  // Under its name it is whole and readable from the start: the next start takes a file with this text as it is.
  const draft = `${file}.draft`;
  writeFileSync(draft, text, { mode: 0o600 });
  mayDie('settings-written');
  if (account.borrowed) chownSync(draft, account.uid, account.gid);
  renameSync(draft, file);
  return true;
}

/**
 * Starts or adopts, again and again with growing pauses: after a `kill -9` the old server's remains can hold
 * the folder for some seconds. Undefined only when told to stop.
 */
async function startPatiently(
  site: Site,
  patienceMs: number,
  stopped: () => boolean,
): Promise<Server | undefined> {
  const deadline = Date.now() + patienceMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 1.5, 1_000)) {
    try {
      return (await adopt(site)) ?? (await launch(site));
    } catch (error) {
      if (stopped()) return undefined;
      if (Date.now() + pauseMs > deadline) throw error;
      site.log.warn({ error: String(error) }, 'PostgreSQL did not start; trying again');
    }
    await sleep(pauseMs);
  }
}

/** Takes over a running server of this folder if it is what we would start; stops it otherwise. */
async function adopt(site: Site): Promise<Server | undefined> {
  const found = readPidFile(site);
  if (found === undefined) return undefined;
  if (!isServerIn(found.pid, site.cluster)) {
    // We own the folder and nobody serves it: the file is a leftover, and its number may be another process by now.
    rmSync(join(site.cluster, 'postmaster.pid'), { force: true });
    return undefined;
  }
  const options = readFileSync(join(site.cluster, 'postmaster.opts'), 'utf8');
  const same =
    options.startsWith(`${join(site.binaries.folder, 'postgres')} `) && found.socketDir === site.socketDir;
  if (same && !site.settingsChanged && existsSync(join(site.socketDir, '.s.PGSQL.5432'))) {
    const server = { pid: found.pid, adopted: true, gone: goneByPolling(found.pid) };
    await untilReady(site, server);
    site.log.info({ pid: found.pid }, 'adopted the PostgreSQL server that was still running');
    return server;
  }
  await stopServer(found.pid, site.log);
  return undefined;
}

async function launch(site: Site): Promise<Server> {
  const log = openServerLog(site.home);
  try {
    const child = spawn(
      join(site.binaries.folder, 'postgres'),
      [
        '-D',
        site.clusterArgument,
        '-c',
        `config_file=${site.clusterArgument}/fovea.conf`,
        '-k',
        site.socketDir,
      ],
      // Its own process group: a Ctrl-C in the terminal is for us, and we stop it when we have drained.
      { ...identity(site), cwd: site.cluster, detached: true, stdio: ['ignore', log, log] },
    );
    child.unref();
    const gone = goneOf(child);
    const server = { pid: child.pid ?? -1, adopted: false, gone };
    await untilReady(site, server);
    site.settingsChanged = false;
    return server;
  } finally {
    closeSync(log);
  }
}

/** Waits through crash recovery, however long it takes, as long as the server lives. */
async function untilReady(site: Site, server: Server): Promise<void> {
  let why: string | undefined;
  void server.gone.then((reason) => {
    why = reason;
  });
  const began = Date.now();
  for (let told = began; ; await sleep(10)) {
    const found = readPidFile(site);
    if (found?.pid === server.pid && found.status === 'ready') return;
    if (why !== undefined) throw new Error(`PostgreSQL ended (${why}): ${lastWords(site.home)}`);
    if (Date.now() - told > 5_000) {
      told = Date.now();
      site.log.info({ seconds: Math.round((told - began) / 1_000) }, 'PostgreSQL is recovering its log');
    }
  }
}

/** First politely (open transactions are rolled back), then without waiting; both leave every commit intact. */
async function stopServer(pid: number, log: Log): Promise<void> {
  for (const [signal, patienceMs] of [
    ['SIGINT', 20_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 10) {
      if (!isAlive(pid)) return;
      await sleep(10);
    }
    log.warn({ pid, signal }, 'PostgreSQL does not stop');
  }
}

function readPidFile({ cluster }: Site): { pid: number; socketDir: string; status: string } | undefined {
  try {
    const line = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(line[0]), socketDir: line[4] ?? '', status: (line[7] ?? '').trim() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function identity({ account }: Site) {
  const env = { LC_ALL: 'C', PATH: '/usr/bin:/bin' };
  return account.borrowed ? { env, uid: account.uid, gid: account.gid } : { env };
}

function goneOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
}

/** An adopted server is not our child, so its end is not announced to us. */
function goneByPolling(pid: number): Promise<string> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isAlive(pid)) return;
      clearInterval(timer);
      resolve('gone');
    }, 200);
    timer.unref();
  });
}

const serverLogBytesMax = 10 * 1024 * 1024;

function openServerLog(home: string): number {
  const file = join(home, 'server.log');
  if (existsSync(file) && statSync(file).size > serverLogBytesMax) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}

/** The end of the server's log, in one line. */
function lastWords(home: string): string {
  const file = openSync(join(home, 'server.log'), 'r');
  try {
    const size = statSync(join(home, 'server.log')).size;
    const tail = Buffer.alloc(Math.min(size, 1_000));
    readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString('utf8').trim().split('\n').slice(-3).join(' | ');
  } finally {
    closeSync(file);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
