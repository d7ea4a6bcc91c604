import { Worker } from 'node:worker_threads';
import type { RawPixels } from '../bmp.ts';
import { type Box, unit } from '../builtin/boxes.ts';
import { engineFault } from '../faults.ts';
import { entryUrl } from '../vector/entry.ts';

/** A bar code or two-dimensional code that was read. */
export interface FoundBarcode {
  text: string;
  /** As its standard is called: QRCode, EAN-13, Code128 … */
  format: string;
  /** In 0..1 of the picture. */
  box: Box;
}

export interface BarcodeRequest {
  id: number;
  picture: RawPixels;
}
export type BarcodeReply = { id: number; found: FoundBarcode[] } | { id: number; reason: string };

/** Reads codes in a thread of its own, which is started when first needed. */
export class BarcodeReader {
  #worker: Worker | undefined;
  #nextId = 1;
  readonly #pending = new Map<number, { resolve(found: FoundBarcode[]): void; reject(cause: Error): void }>();

  /** @throws Fault 21313 when the thread dies or the picture chokes it; the next call gets a new one */
  read(picture: RawPixels): Promise<FoundBarcode[]> {
    this.#worker ??= this.#spawn();
    const id = this.#nextId++;
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      const { width, height, pixels } = picture;
      worker.postMessage({ id, picture: { width, height, pixels } } satisfies BarcodeRequest);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #spawn(): Worker {
    const worker = new Worker(entryUrl('barcode-worker', import.meta.url), { name: 'barcodes' });
    worker.unref();
    worker.on('message', (reply: BarcodeReply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('reason' in reply) pending?.reject(engineFault.predictionFailed('barcode-operator', reply.reason));
      else pending?.resolve(reply.found.map((code) => ({ ...code, box: insideOf(code.box) })));
    });
    const gone = (cause: Error) => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const { reject } of this.#pending.values())
        reject(engineFault.predictionFailed('barcode-operator', cause));
      this.#pending.clear();
    };
    worker.on('error', gone);
    worker.on('exit', (code) => gone(new Error(`the bar code thread ended with code ${code}`)));
    return worker;
  }
}

const insideOf = ({ left, top, right, bottom }: Box): Box => ({
  left: unit(left),
  top: unit(top),
  right: unit(right),
  bottom: unit(bottom),
});
