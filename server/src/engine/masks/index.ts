import { Worker } from 'node:worker_threads';
import type { Runs } from '../metrics/masks.ts';
import { entryUrl } from '../vector/entry.ts';

interface Sides {
  readonly width: number;
  readonly height: number;
}

type Wanted = Sides & ({ readonly bytes: Uint8Array } | { readonly runs: ArrayLike<number> });
type Made = { readonly runs: Runs | undefined } | { readonly png: Uint8Array };

export type MaskRequest = Wanted & { readonly id: number };
export type MaskReply = { readonly id: number } & (Made | { readonly reason: string });

/**
 * Reads a mask that came as a picture, in a thread of its own. What is brighter than half is on; where the picture is
 * partly transparent, what is opaque is.
 *
 * @returns its runs at the size asked for; undefined for bytes that are no picture
 */
export async function readMask(bytes: Uint8Array, width: number, height: number): Promise<Runs | undefined> {
  const made = await ask({ bytes, width, height });
  return 'runs' in made ? made.runs : undefined;
}

/** The mask as a grey PNG, made in the same thread. @param runs off and on in turn, column by column */
export async function maskPicture(
  runs: ArrayLike<number>,
  width: number,
  height: number,
): Promise<Uint8Array> {
  const made = await ask({ runs, width, height });
  if ('png' in made) return made.png;
  throw new Error('the mask thread answered another question');
}

let worker: Worker | undefined;
let nextId = 1;
const pending = new Map<number, { resolve(made: Made): void; reject(cause: Error): void }>();

/** Started when first needed; keeps no process alive. One that dies fails what it had, and the next call gets a new one. */
function ask(wanted: Wanted): Promise<Made> {
  worker ??= spawn();
  const id = nextId++;
  const to = worker;
  return new Promise((resolve, reject) => {
    pending.set(id, { resolve, reject });
    to.postMessage({ id, ...wanted } satisfies MaskRequest);
  });
}

function spawn(): Worker {
  const thread = new Worker(entryUrl('mask-worker', import.meta.url), { name: 'masks' });
  thread.on('message', (reply: MaskReply) => {
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    if ('reason' in reply) waiting?.reject(new Error(`The mask could not be worked on: ${reply.reason}`));
    else waiting?.resolve(reply);
  });
  const gone = (cause: Error) => {
    if (worker === thread) worker = undefined;
    for (const { reject } of pending.values()) reject(cause);
    pending.clear();
  };
  thread.on('error', gone);
  thread.on('exit', (code) => gone(new Error(`the mask thread ended with code ${code}`)));
  thread.unref();
  return thread;
}
