import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ResizeOptions } from 'sharp';
import type { RawPixels } from '../bmp.ts';
import { engineFault } from '../faults.ts';
import { Gate } from '../gate.ts';
import { entryUrl } from '../vector/entry.ts';
import { framesOf, sendFrame } from './frames.ts';

export interface LargeRequest {
  readonly edge: number;
  readonly fit: ResizeOptions;
  readonly pixelsMax: number;
  readonly secondsMax: number;
}

export type LargeReply = { readonly width: number; readonly height: number } | { readonly trouble: string };

/** Whoever decodes at this priority gets about a tenth of a processor that others want; see setpriority(2). */
const niceness = 10;
/** By the clock, for pictures that take up to 4 seconds of a processor of their own. */
const secondsMax = 300;
/** A decoder that has nothing to do for so long, in milliseconds, ends. */
const idleMsMax = 10_000;

/**
 * The shell only lets others go first, where the system has the command for it, and is then replaced. The priority
 * has to be there before the process has threads: each has its own.
 */
const patiently =
  '(echo 500 > /proc/self/oom_score_adj) 2>/dev/null; command -v nice >/dev/null && exec nice -n "$0" "$@"; exec "$@"';

class DecoderEnded extends Error {}
const ended = { done: true, value: undefined } as const;

/** A process that decodes one picture at a time. */
class Decoder {
  readonly #child: ChildProcess;
  readonly #replies: AsyncGenerator<{ head: LargeReply; body: Buffer }>;
  #idle: NodeJS.Timeout | undefined;
  isGone = false;

  constructor() {
    const entry = fileURLToPath(entryUrl('decode-worker', import.meta.url));
    this.#child = spawn('/bin/sh', ['-c', patiently, String(niceness), process.execPath, entry], {
      // Nothing of ours: no settings, no secrets.
      env: { LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const gone = () => {
      this.isGone = true;
    };
    this.#child.once('error', gone);
    this.#child.once('exit', gone);
    // What is written to a process that has ended is missed by its answer.
    this.#child.stdin?.on('error', gone);
    this.#replies = framesOf<LargeReply>(this.#child.stdout as Readable);
  }

  /** @throws Error with the decoder's words · DecoderEnded · Fault 21351 where no process can be started */
  async decode(bytes: Buffer, request: LargeRequest): Promise<RawPixels> {
    if (this.#child.pid === undefined) {
      this.isGone = true;
      throw engineFault.noDecoder();
    }
    clearTimeout(this.#idle);
    this.#hold('ref');
    const late = setTimeout(() => this.end(), 2 * request.secondsMax * 1000);
    try {
      sendFrame(this.#child.stdin as Writable, request, bytes);
      const { value, done } = await this.#replies.next().catch(() => ended);
      if (done) {
        this.isGone = true;
        throw new DecoderEnded('the process that decodes large pictures ended over it');
      }
      const { head, body } = value;
      if ('trouble' in head) throw new Error(head.trouble);
      return { width: head.width, height: head.height, pixels: body };
    } finally {
      clearTimeout(late);
      this.#hold('unref');
      this.#idle = setTimeout(() => this.end(), idleMsMax).unref();
    }
  }

  end(): void {
    this.isGone = true;
    this.#child.kill('SIGKILL');
  }

  /** An idle decoder keeps nobody from ending: it ends with its input. */
  #hold(how: 'ref' | 'unref'): void {
    const { stdin, stdout } = this.#child as unknown as Record<
      'stdin' | 'stdout',
      { ref(): void; unref(): void }
    >;
    for (const part of [this.#child, stdin, stdout]) part[how]();
  }
}

/** As many at a time as leave half of the processors to pictures that are quickly done. */
const lane = new Gate(Math.max(1, Math.min(4, availableParallelism()) >> 1), Number.POSITIVE_INFINITY);
const idle: Decoder[] = [];

/** Waits for one of a few places. */
export const inLargeLane = <T>(work: () => Promise<T>): Promise<T> => lane.pass(work);

/**
 * Decodes pictures that take the better part of a second in processes of low priority, so that a hundred of them
 * leave the threads of this one, and the processor, to everybody else.
 *
 * @throws Error with the words of the decoder, or when it ended over the picture twice; Fault 21351 where no process
 *   can be started
 */
export function decodeLarge(
  bytes: Buffer,
  edge: number,
  fit: ResizeOptions,
  pixelsMax: number,
): Promise<RawPixels> {
  return inLargeLane(async () => {
    const request = { edge, fit, pixelsMax, secondsMax };
    try {
      return await decodeOnce(bytes, request);
    } catch (error) {
      // Somebody may have ended the process: only the second time it is the picture.
      if (error instanceof DecoderEnded) return decodeOnce(bytes, request);
      throw error;
    }
  });
}

async function decodeOnce(bytes: Buffer, request: LargeRequest): Promise<RawPixels> {
  let decoder = idle.pop();
  while (decoder?.isGone) decoder = idle.pop();
  decoder ??= new Decoder();
  try {
    return await decoder.decode(bytes, request);
  } finally {
    if (!decoder.isGone) idle.push(decoder);
  }
}
