import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withoutTelemetry } from '#domain/telemetry.ts';
import { entryUrl } from '../vector/entry.ts';
import type { GuestReply, GuestRequest } from './messages.ts';

export interface GuestLimits {
  /** Resident memory of the process; beyond it the process is ended. */
  readonly memoryBytesMax: number;
  /** Longest run of one batch. */
  readonly runMsMax: number;
  /** Longest loading of networks. */
  readonly openMsMax: number;
  /** Longest look through a package, its trial runs included; large weights get more. */
  readonly inspectMsMax: number;
}

export const defaultGuestLimits: GuestLimits = {
  memoryBytesMax: 4 * 2 ** 30,
  runMsMax: 30_000,
  openMsMax: 120_000,
  inspectMsMax: 10_000,
};

/** The process ended while it worked. `isCrash`: of itself, not by one of the limits. */
export class GuestGone extends Error {
  readonly isCrash: boolean;
  /** @param words why, for the owner of the model */
  constructor(words: string, isCrash: boolean, options?: ErrorOptions) {
    super(words, options);
    this.isCrash = isCrash;
  }
}

/** The process works and says no. `isOwners`: what is wrong lies in the package. */
export class GuestRefused extends Error {
  readonly isOwners: boolean;
  constructor(words: string, isOwners: boolean) {
    super(words);
    this.isOwners = isOwners;
  }
}

type Ask = GuestRequest extends infer One ? (One extends GuestRequest ? Omit<One, 'id'> : never) : never;
type Reply = Exclude<GuestReply, { kind: 'refused' | 'failed' }>;

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * The shell only sets limits and is then replaced: the first to go when memory runs out, no core files, no files
 * written. A limit that the system does not know is passed over.
 */
const limited = '(echo 900 > /proc/self/oom_score_adj) 2>/dev/null; ulimit -c 0; ulimit -f 0; exec "$@"';
const watchEveryMs = 50;
const complaintsMax = 4_000;
const pageBytes = 4096;

/** A process of its own in which the networks of one package run. */
export class Guest {
  readonly #child: ChildProcess;
  readonly #limits: GuestLimits;
  readonly #waiting = new Map<number, Waiting>();
  #watch: NodeJS.Timeout | undefined;
  #asked = 0;
  /** Why it was ended, where it was. */
  #why: string | undefined;
  /** What became of it, where nobody ended it. */
  #crash = 'it ended';
  #complaints = '';
  /** Most memory seen, in bytes. */
  memoryBytes = 0;
  isGone = false;
  readonly gone: Promise<void>;

  /** @param folder the only folder it works in */
  constructor(folder: string, limits: GuestLimits) {
    this.#limits = limits;
    this.#child = spawn(
      '/bin/sh',
      ['-c', limited, 'sh', process.execPath, '--max-old-space-size=1024', fileURLToPath(guestEntry())],
      {
        cwd: folder,
        // Nothing of ours: no settings, no secrets.
        env: { LC_ALL: 'C', HOME: folder, TMPDIR: folder, ...withoutTelemetry },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        serialization: 'advanced',
      },
    );
    this.#child.on('message', (reply: GuestReply) => this.#hear(reply));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaints = (this.#complaints + chunk.toString()).slice(-complaintsMax);
    });
    this.gone = new Promise((resolve) => {
      const end = (words: string) => {
        this.#end(words);
        resolve();
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('exit', (code, signal) =>
        end(signal ? `it crashed (${signal})` : `it ended with ${code}`),
      );
    });
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** @throws GuestRefused · GuestGone */
  ask<Kind extends Reply['kind']>(
    _kind: Kind,
    request: Ask,
    msMax: number,
  ): Promise<Extract<Reply, { kind: Kind }>> {
    if (this.isGone) return Promise.reject(this.#goneError());
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#kill(`it took longer than ${Math.round(msMax / 1000)} s`), msMax);
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) this.#rest();
      };
      this.#waiting.set(id, {
        resolve: (reply) => {
          done();
          resolve(reply as Extract<Reply, { kind: Kind }>);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#work();
      this.#child.send({ ...request, id }, (error) => {
        if (error) this.#waiting.get(id)?.reject(new GuestGone(this.#why ?? error.message, !this.#why));
      });
    });
  }

  async end(): Promise<void> {
    this.#kill('the server ended it');
    await this.gone;
  }

  #hear(reply: GuestReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (reply.kind === 'refused') waiting?.reject(new GuestRefused(reply.reason, true));
    else if (reply.kind === 'failed') waiting?.reject(new GuestRefused(reply.reason, false));
    else waiting?.resolve(reply);
  }

  /** While it works its memory is watched, and the server waits for it. */
  #work(): void {
    this.#child.ref();
    this.#child.channel?.ref();
    this.#watch ??= setInterval(() => this.#measure(), watchEveryMs);
  }

  #rest(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#measure();
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Reads the resident memory where the system tells it (Linux). */
  #measure(): void {
    if (this.isGone) return;
    try {
      const pages = Number(readFileSync(`/proc/${this.#child.pid}/statm`, 'latin1').split(' ')[1]);
      this.memoryBytes = Math.max(this.memoryBytes, pages * pageBytes);
      if (pages * pageBytes > this.#limits.memoryBytesMax)
        this.#kill(
          `it took more than the ${this.#limits.memoryBytesMax} bytes of memory that a model may have`,
        );
    } catch {
      // Another system, or already gone.
    }
  }

  #kill(why: string): void {
    this.#why ??= why;
    this.#child.kill('SIGKILL');
  }

  #end(words: string): void {
    this.isGone = true;
    this.#crash = words;
    clearInterval(this.#watch);
    this.#watch = undefined;
    for (const one of [...this.#waiting.values()]) one.reject(this.#goneError());
  }

  #goneError(): GuestGone {
    const cause = this.#complaints.trim();
    return new GuestGone(this.#why ?? this.#crash, !this.#why, cause ? { cause } : undefined);
  }
}

let entry: URL | undefined;
function guestEntry(): URL {
  entry ??= entryUrl('guest-worker', import.meta.url);
  return entry;
}
