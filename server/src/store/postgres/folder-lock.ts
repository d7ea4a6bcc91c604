import { randomUUID } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, pidScope, startOf } from './process-facts.ts';

type Holder = { pid: number; start: string; scope: string; released?: boolean };

export type FolderLock = { release(): void };

const beatMs = 2_000;
/** A holder on another machine or in another container cannot be looked up; it is dead once silent for this long. */
const silenceMs = 15_000;

export class FolderInUse extends Error {
  override name = 'FolderInUse';
}

/**
 * Makes this process the one owner of a data folder.
 *
 * The lock is a numbered file: whoever creates the next number after a dead or released holder owns the
 * folder. Creating is atomic and numbers only grow, so two processes that both see a dead holder cannot both
 * win, which removing and re-creating one fixed file would allow.
 *
 * @throws FolderInUse when a living process owns it
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const room = join(folder, 'lock');
  mkdirSync(room, { recursive: true });
  for (;;) {
    const newest = numbersIn(room).at(-1) ?? 0;
    if (newest > 0 && !(await isFree(join(room, String(newest)), folder))) continue;
    if (claim(room, newest + 1)) return hold(room, newest + 1);
  }
}

/** Claims a number; false when another process was faster. */
function claim(room: string, number: number): boolean {
  const draft = join(room, `draft-${randomUUID()}`);
  const holder: Holder = { pid: process.pid, start: startOf(process.pid), scope: pidScope() };
  writeFileSync(draft, JSON.stringify(holder));
  try {
    linkSync(draft, join(room, String(number)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  if (numbersIn(room).at(-1) === number) return true;
  rmSync(join(room, String(number)), { force: true });
  return false;
}

function hold(room: string, number: number): FolderLock {
  const file = join(room, String(number));
  for (const older of numbersIn(room)) if (older < number) rmSync(join(room, String(older)), { force: true });
  const beat = setInterval(() => touch(file), beatMs);
  beat.unref();
  return {
    release() {
      clearInterval(beat);
      const released: Holder = { pid: process.pid, start: '', scope: '', released: true };
      try {
        writeFileSync(file, JSON.stringify(released));
      } catch {
        // The folder itself may be gone by now; then there is nothing left to own.
      }
    },
  };
}

/** True when the holder is gone; false when the picture changed meanwhile. Throws when it lives. */
async function isFree(file: string, folder: string): Promise<boolean> {
  const first = readHolder(file);
  for (let seen = first; first !== undefined && seen !== undefined; seen = readHolder(file)) {
    const { holder } = seen;
    if (holder.released) return true;
    const here = holder.scope === pidScope();
    if (here ? !lives(holder) : Date.now() - seen.beatAtMs > silenceMs) return true;
    if (here || seen.beatAtMs !== first.beatAtMs) {
      throw new FolderInUse(
        `The data folder ${folder} is in use by another Fovea (process ${holder.pid}). ` +
          'Stop it first, or set FOVEA_DATA to another folder.',
      );
    }
    await sleep(500);
  }
  return false;
}

function lives(holder: Holder): boolean {
  return isAlive(holder.pid) && startOf(holder.pid) === holder.start;
}

function readHolder(file: string): { holder: Holder; beatAtMs: number } | undefined {
  try {
    const beatAtMs = statSync(file).mtimeMs;
    return { holder: JSON.parse(readFileSync(file, 'utf8')) as Holder, beatAtMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // A file cut short by a power loss names nobody.
    if (error instanceof SyntaxError)
      return { holder: { pid: 0, start: '', scope: '', released: true }, beatAtMs: 0 };
    throw error;
  }
}

function numbersIn(room: string): number[] {
  return readdirSync(room)
    .map(Number)
    .filter((number) => Number.isInteger(number) && number > 0)
    .sort((a, b) => a - b);
}

function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // Missing one beat is harmless; the next one tries again.
  }
}
