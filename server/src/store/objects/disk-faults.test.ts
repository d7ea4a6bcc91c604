import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesOf, openFileObjects } from './index.ts';

const here = import.meta.dirname;
const built = join(here, `../../../dist/objects-test-${process.pid}`);
const folder = mkdtempSync(join(tmpdir(), 'fovea-disk-'));
const program = join(built, 'putter.mjs');
const reader = join(built, 'getter.mjs');

beforeAll(async () => {
  await build({
    entryPoints: [join(here, 'testdata/putter.ts'), join(here, 'testdata/getter.ts')],
    outdir: built,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(built, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

/** Faults are put between the process and the kernel; a container may forbid that. */
const canInject = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/** Lines of a process that stores objects while system calls fail as told. */
function putUnder(root: string, count: number, ...faults: string[]) {
  const traced = ['-f', '-qq', '-o', '/dev/null', ...faults, process.execPath, program, root, String(count)];
  const { stdout, status } = spawnSync('strace', traced, { encoding: 'utf8' });
  expect(status).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [sha = '', ...said] = line.split(' ');
      return { sha, said: said.join(' '), file: join(root, 'media', 'orig', sha.slice(0, 2), sha) };
    });
}

const shaOfFile = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

test.skipIf(!canInject)('what could not be synced is not acknowledged, and not trusted later', () => {
  const root = join(folder, 'sync');
  const puts = putUnder(root, 30, '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=4+5');
  const kept = puts.filter(({ said }) => said === 'kept');
  const failed = puts.filter(({ said }) => said === 'failed EIO');
  expect(kept.length).toBeGreaterThan(5);
  expect(failed.length).toBeGreaterThan(5);
  expect(kept.length + failed.length).toBe(30);
  for (const { file, sha } of kept) expect(shaOfFile(file)).toBe(sha);
  // A file whose own sync failed never gets its name; where only that of the folder failed, it is whole.
  for (const { file, sha } of failed) if (existsSync(file)) expect(shaOfFile(file)).toBe(sha);
  expect(readdirSync(join(root, '.drafts'))).toEqual([]);
});

test.skipIf(!canInject)('writes that are interrupted again and again are whole in the end', () => {
  const root = join(folder, 'interrupted');
  const puts = putUnder(
    root,
    20,
    '-e',
    'trace=write,pwrite64',
    '-e',
    'inject=write,pwrite64:error=EINTR:when=2+3',
  );
  expect(puts.map(({ said }) => said)).toEqual(puts.map(() => 'kept'));
  for (const { file, sha } of puts) expect(shaOfFile(file)).toBe(sha);
});

test.skipIf(!canInject)('a file that cannot be looked at after it was opened is closed', async () => {
  const root = join(folder, 'unseen');
  await openFileObjects(root).put('kept/one', Buffer.from('here'));
  const faults = [
    '-e',
    'trace=fstat,statx',
    '-P',
    join(root, 'kept/one'),
    '-e',
    'inject=fstat,statx:error=EIO',
  ];
  const traced = ['-f', '-qq', '-o', '/dev/null', ...faults, process.execPath, reader, root, 'kept/one', '9'];
  const { stdout } = spawnSync('strace', traced, { encoding: 'utf8' });
  expect(JSON.parse(stdout)).toEqual({ failed: 9, open: 0 });
});

const small = join(folder, 'small');
mkdirSync(small);
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small]).status === 0;
afterAll(() => {
  if (isMounted) spawnSync('umount', ['-l', small]);
});

test.skipIf(!isMounted)(
  'a full disk fails the put, leaves nothing half, and serves what is there',
  async () => {
    const objects = openFileObjects(join(small, 'objects'));
    const part = (n: number) => Buffer.alloc(400_000, n);
    const outcomes: string[] = [];
    for (let n = 0; n < 8; n++) {
      outcomes.push(
        await objects.put(`media/orig/${n}`, part(n)).then(
          () => 'kept',
          (error: NodeJS.ErrnoException) => String(error.code),
        ),
      );
    }
    expect(new Set(outcomes)).toEqual(new Set(['kept', 'ENOSPC']));
    for (const [n, outcome] of outcomes.entries()) {
      const stored = await objects.get(`media/orig/${n}`);
      if (outcome === 'kept')
        expect((await bytesOf(stored as NonNullable<typeof stored>)).equals(part(n))).toBe(true);
      else expect(stored).toBeUndefined();
    }
    expect(readdirSync(join(small, 'objects', '.drafts'))).toEqual([]);
    await objects.delete('media/orig/0');
    await objects.put('media/orig/again', part(9));
  },
);
