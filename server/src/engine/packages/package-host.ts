import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PredictedConcept, Prediction, PredictOptions } from '../builtin/prediction.ts';
import { ranked } from '../builtin/prediction.ts';
import { maskPng } from '../dense/masks.ts';
import { engineFault } from '../faults.ts';
import type { Picture } from '../image.ts';
import { defaultGuestLimits, Guest, GuestGone, type GuestLimits, GuestRefused } from './guest.ts';
import { type Manifest, manifestName } from './manifest.ts';
import type { GuestAnswer, GuestItem, PackageReport } from './messages.ts';
import { pictureFor } from './picture-input.ts';

/** Models whose networks the engine runs as packages, by the SHA-256 of the package. */
export const packagePrefix = 'package:';

export interface PackageHostOptions {
  /**
   * A folder with the files of a package, `fovea.json` among them, unpacked if it was not yet.
   *
   * @throws when there is no such package
   */
  folderOf(sha: string): Promise<string>;
  limits?: Partial<GuestLimits>;
  /** Memory of all packages together; those not used for longest are ended beyond it. */
  memoryBytesMax?: number;
  /** Waiting items of one package beyond which new ones are refused as busy. */
  queueMax?: number;
  /** Items that would wait longer, in milliseconds, are refused as busy. */
  waitMsMax?: number;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void;
}

export interface Inspected {
  manifest: Manifest;
  report: PackageReport;
  /** Names of the files that the package needs. */
  keep: string[];
}

/** What is wrong with a package, in words for its owner. */
export class PackageFault extends Error {}

const batchMax = 8;
/** What is read, loaded and run at least, on a busy machine. */
const bytesPerMs = 20_000;
const confidenceUsual = 0.3;
const triesMax = 2;
/** Weight of the latest run in what an item usually takes. */
const latestShare = 0.2;

interface Waiting {
  readonly item: GuestItem;
  readonly background: boolean;
  /** Was there when its process ended: has one more try, alone. */
  suspect: boolean;
  resolve(answer: GuestAnswer): void;
  reject(error: unknown): void;
}

interface Resident {
  readonly sha: string;
  readonly manifest: Manifest;
  readonly folder: string;
  guest: Guest | undefined;
  canBatch: { picture: boolean; text: boolean };
  queue: Waiting[];
  isRunning: boolean;
  lastUsedMs: number;
  /** What an item usually takes, in milliseconds. */
  usualMs: number;
}

/**
 * Runs packages that users brought, each in a process of its own: a network that crashes, hangs or eats memory ends
 * its process and fails its own items, and nothing else. Loaded when first used, ended when memory is wanted.
 */
export class PackageHost {
  readonly #options: PackageHostOptions;
  readonly #limits: GuestLimits;
  readonly #memoryBytesMax: number;
  readonly #residents = new Map<string, Promise<Resident>>();
  readonly #loaded = new Set<Resident>();
  #closed = false;

  constructor(options: PackageHostOptions) {
    this.#options = options;
    this.#limits = { ...defaultGuestLimits, ...options.limits };
    this.#memoryBytesMax = options.memoryBytesMax ?? 2 * this.#limits.memoryBytesMax;
  }

  /**
   * Looks through the files of a package in a process of its own.
   *
   * @throws PackageFault in words for its owner
   */
  async inspect(folder: string, hint: { typeId: string; name: string }): Promise<Inspected> {
    const guest = new Guest(folder, this.#limits);
    try {
      const weightBytesMax = Math.floor(this.#limits.memoryBytesMax / 2);
      const request = { kind: 'inspect' as const, folder, hint, weightBytesMax };
      const msMax = this.#limits.inspectMsMax + (await sizeOf(folder)) / bytesPerMs;
      const { manifest, report, keep } = await guest.ask('inspected', request, msMax);
      return { manifest, report, keep };
    } catch (error) {
      if (error instanceof GuestRefused || error instanceof GuestGone)
        throw new PackageFault(
          error instanceof GuestGone
            ? `The model could not be tried out: ${error.message}.`
            : `The package is refused: ${error.message}.`,
          { cause: error.cause },
        );
      throw error;
    } finally {
      await guest.end();
    }
  }

  async manifestOf(sha: string): Promise<Manifest> {
    return (await this.#resident(sha)).manifest;
  }

  /** @throws Fault 21202 for a model that takes no pictures · 21313 · 21351 */
  async predict(sha: string, picture: Picture, options: PredictOptions): Promise<Prediction> {
    const resident = await this.#resident(sha);
    const { manifest } = resident;
    if (!manifest.image) throw engineFault.noPicture(manifest.name);
    const confidenceMin = Math.max(0.01, options.confidenceMin ?? confidenceUsual);
    const item = await pictureFor(picture, manifest.image.pixels, confidenceMin);
    return shown(manifest, await this.#answer(resident, item, options));
  }

  /** The embedding of a text, of length one. @throws Fault 21202 for a model that takes no texts · 21313 · 21351 */
  async embedText(sha: string, text: string, options: PredictOptions = {}): Promise<Float32Array> {
    const resident = await this.#resident(sha);
    if (!resident.manifest.text) throw engineFault.noTexts(resident.manifest.name);
    const answer = await this.#answer(resident, { kind: 'text', text }, options);
    if (answer.kind !== 'vector') throw engineFault.noEmbedding(resident.manifest.name);
    return answer.vector;
  }

  /** Processes that run now, and the most memory that each was seen to take. */
  running(): { sha: string; memoryBytes: number }[] {
    return [...this.#loaded].flatMap(({ sha, guest }) =>
      guest ? [{ sha, memoryBytes: guest.memoryBytes }] : [],
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const resident of this.#loaded) {
      for (const waiting of resident.queue.splice(0)) waiting.reject(engineFault.closed());
      await resident.guest?.end();
    }
  }

  #resident(sha: string): Promise<Resident> {
    const found = this.#residents.get(sha) ?? this.#load(sha);
    this.#residents.set(sha, found);
    found.catch(() => this.#residents.delete(sha));
    return found;
  }

  async #load(sha: string): Promise<Resident> {
    try {
      const folder = await this.#options.folderOf(sha);
      const manifest = JSON.parse(await readFile(join(folder, manifestName), 'utf8')) as Manifest;
      return {
        sha,
        folder,
        manifest,
        guest: undefined,
        canBatch: { picture: false, text: false },
        queue: [],
        isRunning: false,
        lastUsedMs: 0,
        usualMs: 0,
      };
    } catch (cause) {
      throw engineFault.notPrepared(sha, cause);
    }
  }

  #answer(
    resident: Resident,
    item: GuestItem,
    { signal, background = false, isAdmitted = false }: PredictOptions,
  ): Promise<GuestAnswer> {
    if (this.#closed) return Promise.reject(engineFault.closed());
    if (signal?.aborted) return Promise.reject(engineFault.cancelled());
    const { queueMax = 1024, waitMsMax = Number.POSITIVE_INFINITY } = this.#options;
    const takesTooLong = !background && !isAdmitted && resident.queue.length * resident.usualMs > waitMsMax;
    if (takesTooLong || resident.queue.length >= queueMax)
      return Promise.reject(engineFault.busy(resident.queue.length));
    return new Promise((resolve, reject) => {
      const leave = () => {
        const at = resident.queue.indexOf(waiting);
        if (at >= 0) resident.queue.splice(at, 1);
        waiting.reject(engineFault.cancelled());
      };
      const waiting: Waiting = {
        item,
        background,
        suspect: false,
        resolve: (answer) => {
          signal?.removeEventListener('abort', leave);
          resolve(answer);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', leave);
          reject(error);
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      const firstBackground = background ? -1 : resident.queue.findIndex((one) => one.background);
      resident.queue.splice(firstBackground < 0 ? resident.queue.length : firstBackground, 0, waiting);
      void this.#work(resident);
    });
  }

  /** Runs what waits, batch by batch, until nothing does. */
  async #work(resident: Resident): Promise<void> {
    if (resident.isRunning) return;
    resident.isRunning = true;
    try {
      while (resident.queue.length > 0 && !this.#closed) await this.#runNext(resident);
    } finally {
      resident.isRunning = false;
    }
  }

  async #runNext(resident: Resident): Promise<void> {
    let batch: Waiting[] = [];
    try {
      const guest = await this.#guestOf(resident);
      resident.lastUsedMs = performance.now();
      batch = takeBatch(resident);
      if (batch.length === 0) return;
      const items = batch.map(({ item }) => item);
      const { answers } = await guest.ask('ran', { kind: 'run', items }, this.#limits.runMsMax);
      const ms = (performance.now() - resident.lastUsedMs) / items.length;
      resident.usualMs += (ms - resident.usualMs) * latestShare;
      for (const [at, waiting] of batch.entries()) {
        const answer = answers[at];
        if (answer?.ok) waiting.resolve(answer.answer);
        else
          waiting.reject(
            engineFault.packageFailed(resident.manifest.name, answer?.reason ?? 'no answer came back'),
          );
      }
      await this.#makeRoom(resident);
    } catch (error) {
      this.#lose(resident, batch, error);
    }
  }

  /**
   * The process is gone, or could not be started. Of a batch each item gets one more try, alone; so does a lone item
   * whose process crashed, which may have been on its way down before it came.
   */
  #lose(resident: Resident, batch: readonly Waiting[], error: unknown): void {
    const words = error instanceof Error ? error.message : String(error);
    this.#options.log('warn', 'the process of a model ended', {
      sha: resident.sha,
      words,
      cause: String((error as Error)?.cause ?? ''),
    });
    resident.guest = undefined;
    this.#loaded.delete(resident);
    const failed = engineFault.packageFailed(resident.manifest.name, words);
    if (batch.length === 0) for (const waiting of resident.queue.splice(0)) waiting.reject(failed);
    else if (batch.length === 1 && (batch[0]?.suspect || !(error instanceof GuestGone && error.isCrash)))
      batch[0]?.reject(failed);
    else {
      for (const waiting of batch) waiting.suspect = true;
      resident.queue.unshift(...batch);
    }
  }

  async #guestOf(resident: Resident): Promise<Guest> {
    if (resident.guest && !resident.guest.isGone) return resident.guest;
    for (let tries = 1; ; tries += 1) {
      const guest = new Guest(resident.folder, this.#limits);
      try {
        const opened = await guest.ask(
          'opened',
          { kind: 'open', folder: resident.folder },
          this.#limits.openMsMax,
        );
        Object.assign(resident, { guest, canBatch: opened.canBatch });
        this.#loaded.add(resident);
        return guest;
      } catch (error) {
        await guest.end();
        if (!(error instanceof GuestGone) || tries === triesMax) throw error;
      }
    }
  }

  /** Ends processes of other packages, the one unused for longest first, until all fit into the memory. */
  async #makeRoom(current: Resident): Promise<void> {
    const others = [...this.#loaded]
      .filter((one) => one !== current && !one.isRunning)
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    for (const one of others) {
      const taken = this.running().reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
      if (taken <= this.#memoryBytesMax) return;
      this.#loaded.delete(one);
      const { guest } = one;
      one.guest = undefined;
      await guest?.end();
    }
  }
}

/** The first that waits, and those after it that may run with it. */
function takeBatch({ queue, canBatch }: Resident): Waiting[] {
  const first = queue.shift();
  if (!first) return [];
  const batch = [first];
  if (first.suspect || !canBatch[first.item.kind]) return batch;
  while (batch.length < batchMax && queue[0]?.item.kind === first.item.kind && !queue[0].suspect)
    batch.push(queue.shift() as Waiting);
  return batch;
}

const labelAt = ({ labels }: Manifest, index: number) =>
  labels[index] ?? { id: `class-${index}`, name: `class ${index}` };

async function shown(manifest: Manifest, answer: GuestAnswer): Promise<Prediction> {
  switch (answer.kind) {
    case 'scores': {
      const concepts: PredictedConcept[] = [...answer.scores].map((value, index) => ({
        ...labelAt(manifest, index),
        value,
      }));
      return { concepts: ranked(concepts) };
    }
    case 'vector':
      return { embedding: answer.vector };
    case 'boxes':
      return {
        regions: answer.boxes.map(({ label, score, ...box }) => ({
          box,
          value: score,
          concepts: [{ ...labelAt(manifest, label), value: score }],
        })),
      };
    case 'map': {
      const shares = new Map<number, number>();
      for (const label of answer.labels) shares.set(label, (shares.get(label) ?? 0) + 1);
      const masks = [...shares].slice(0, 255).map(async ([label, count]) => {
        const on = Uint8Array.from(answer.labels, (one) => (one === label ? 1 : 0));
        const value = count / answer.labels.length;
        return {
          mask: await maskPng(on, 1, answer),
          value,
          concepts: [{ ...labelAt(manifest, label), value }],
        };
      });
      return { masks: (await Promise.all(masks)).sort((a, b) => b.value - a.value) };
    }
  }
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((a, b) => a + b, 0);
}
