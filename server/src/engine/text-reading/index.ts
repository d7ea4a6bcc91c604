import { AskedThreads } from '../asked-threads.ts';
import type { RawPixels } from '../bmp.ts';
import { readSource, type SourceFile } from '../convert/sources.ts';
import type { FoundLine } from './table.ts';

export type { FoundLine, FoundWord } from './table.ts';

/** English, as a network of whole numbers: on clean print as exact as the larger file beside it. */
export const languageSource: SourceFile = {
  package: '@tesseract.js-data/eng',
  file: '4.0.0_best_int/eng.traineddata.gz',
  sha256: '45b4cb346724ac1774f1c36f42f182b887bcdb28ebe63e6fff90ac41f3fcff91',
};

/** A thread was seen to hold 90 to 130 MB, so few of them, and none that nobody uses. */
const threadsMax = 2;
const idleMs = 60_000;
const defaultMsMax = 60_000;

/** Reads print out of pictures, in threads that are started when first needed and end when unused. */
export class TextReader {
  readonly #threads: number;
  readonly #msMax: number;
  #opened: Promise<AskedThreads<RawPixels, FoundLine[]>> | undefined;

  constructor({ threads, msMax = defaultMsMax }: { threads: number; msMax?: number | undefined }) {
    this.#threads = Math.min(threadsMax, threads);
    this.#msMax = msMax;
  }

  /** @throws Fault 21313 when the picture chokes the reader · Error when its package is absent or changed */
  async read({ width, height, pixels }: RawPixels, signal?: AbortSignal): Promise<FoundLine[]> {
    this.#opened ??= this.#open();
    const threads = await this.#opened;
    return threads.ask({ width, height, pixels }, signal);
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = Promise.reject(new Error('the reader is closed'));
    this.#opened.catch(() => {});
    await (await opened?.catch(() => undefined))?.close();
  }

  async #open(): Promise<AskedThreads<RawPixels, FoundLine[]>> {
    try {
      return new AskedThreads({
        entry: 'text-worker',
        here: import.meta.url,
        label: 'optical-character-recognition',
        threadsMax: this.#threads,
        msMax: this.#msMax,
        idleMs,
        workerData: { language: await readSource(languageSource) },
      });
    } catch (cause) {
      this.#opened = undefined;
      throw cause;
    }
  }
}
