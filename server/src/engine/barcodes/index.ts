import { AskedThreads } from '../asked-threads.ts';
import type { RawPixels } from '../bmp.ts';
import { type Box, unit } from '../builtin/boxes.ts';

/** A bar code or two-dimensional code that was read. */
export interface FoundBarcode {
  text: string;
  /** As its standard is called: QRCode, EAN-13, Code128 … */
  format: string;
  /** In 0..1 of the picture. */
  box: Box;
}

/** Pictures took tens of milliseconds; nothing honest takes this long. */
const msMax = 60_000;

/** Reads codes in a thread of its own, which is started when first needed. */
export class BarcodeReader {
  readonly #threads = new AskedThreads<RawPixels, FoundBarcode[]>({
    entry: 'barcode-worker',
    here: import.meta.url,
    label: 'barcode-operator',
    threadsMax: 1,
    msMax,
  });

  /** @throws Fault 21313 when the picture chokes the reader */
  async read({ width, height, pixels }: RawPixels): Promise<FoundBarcode[]> {
    const found = await this.#threads.ask({ width, height, pixels });
    return found.map((code) => ({ ...code, box: insideOf(code.box) }));
  }

  close(): Promise<void> {
    return this.#threads.close();
  }
}

const insideOf = ({ left, top, right, bottom }: Box): Box => ({
  left: unit(left),
  top: unit(top),
  right: unit(right),
  bottom: unit(bottom),
});
