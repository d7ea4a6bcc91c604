import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import type { Answered } from '../asked-threads.ts';
import type { RawPixels } from '../bmp.ts';
import type { FoundBarcode } from './index.ts';

// The package would fetch its module from a public server; it lies in the package as well.
const file = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm');
const { buffer, byteOffset, byteLength } = readFileSync(file);
const ready = prepareZXingModule({
  overrides: { wasmBinary: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer },
  fireImmediately: true,
});

async function read({ width, height, pixels }: RawPixels): Promise<FoundBarcode[]> {
  await ready;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1)
      data[pixel * 4 + channel] = pixels[pixel * 3 + channel] as number;
  }
  const found = await readBarcodes({ data, width, height } as unknown as Parameters<typeof readBarcodes>[0], {
    tryHarder: true,
    maxNumberOfSymbols: 64,
  });
  return found
    .filter(({ isValid }) => isValid)
    .map(({ text, format, position }) => {
      const corners = [position.topLeft, position.topRight, position.bottomRight, position.bottomLeft];
      const [xs, ys] = [corners.map(({ x }) => x / width), corners.map(({ y }) => y / height)];
      return {
        text,
        format: String(format),
        box: { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) },
      };
    });
}

parentPort?.on('message', async (picture: RawPixels) => {
  let answered: Answered<FoundBarcode[]>;
  try {
    answered = { answer: await read(picture) };
  } catch (error) {
    answered = { reason: String(error) };
  }
  parentPort?.postMessage(answered);
});
