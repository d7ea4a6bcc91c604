import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderInUse, lockFolder } from './folder-lock.ts';
import { pidScope, startOf } from './process-facts.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fovea-lock-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Leaves the lock as another process would have, last heard of so long ago. */
function heldBy(holder: { pid: number; start: string; scope: string }, silentMs = 0): string {
  const file = join(folder, 'lock', '7');
  mkdirSync(join(folder, 'lock'), { recursive: true });
  writeFileSync(file, JSON.stringify(holder));
  const heard = new Date(Date.now() - silentMs);
  utimesSync(file, heard, heard);
  return file;
}

test('of many that want a folder at once, also after a crash, exactly one gets it', async () => {
  heldBy({ pid: 2 ** 22 + 1, start: '1', scope: pidScope() });
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  const refused = tries.filter((one) => one.status === 'rejected').map(({ reason }) => reason);
  expect(refused).toHaveLength(7);
  for (const reason of refused) expect(reason).toBeInstanceOf(FolderInUse);
  expect(readdirSync(join(folder, 'lock'))).toEqual(['8']);
  for (const one of tries) if (one.status === 'fulfilled') one.value.release();
  (await lockFolder(folder)).release();
});

test.each([
  [
    'a process that lives',
    () => heldBy({ pid: process.pid, start: startOf(process.pid), scope: pidScope() }),
    'refused',
  ],
  [
    'a process that ended and whose number is another now',
    () => heldBy({ pid: process.pid, start: '1', scope: pidScope() }),
    'taken',
  ],
  [
    'a container that has been silent for a minute',
    () => heldBy({ pid: 1, start: '1', scope: 'elsewhere' }, 60_000),
    'taken',
  ],
  [
    'a process cut short while writing its lock',
    () => writeFileSync(heldBy({ pid: 1, start: '', scope: '' }), '{"pid'),
    'taken',
  ],
])('a folder held by %s is %3$s', async (_holder, prepare, expected) => {
  prepare();
  const outcome = await lockFolder(folder)
    .then((lock) => lock.release())
    .then(
      () => 'taken',
      (error: Error) => (error instanceof FolderInUse ? 'refused' : error.message),
    );
  expect(outcome).toBe(expected);
});

test('a folder held by a container that still beats is refused within a few seconds', async () => {
  const file = heldBy({ pid: 1, start: '1', scope: 'elsewhere' }, 5_000);
  const beat = setTimeout(() => utimesSync(file, new Date(), new Date()), 700);
  await expect(lockFolder(folder)).rejects.toBeInstanceOf(FolderInUse);
  clearTimeout(beat);
});
