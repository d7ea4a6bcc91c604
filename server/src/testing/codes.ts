import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { prepareZXingModule, writeBarcode } from 'zxing-wasm/writer';
import { pngOf } from './png.ts';

/** A picture of a code on white, as a PNG of RGB pixels. @param format as its standard is called: QRCode, EAN-13 … */
export async function codePng(text: string, format: string): Promise<Uint8Array> {
  const file = createRequire(import.meta.url).resolve('zxing-wasm/writer/zxing_writer.wasm');
  const bytes = readFileSync(file);
  const wasmBinary = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  await prepareZXingModule({ overrides: { wasmBinary }, fireImmediately: true });
  const { symbol, error } = await writeBarcode(text, { format: format as 'QRCode', scale: 1 });
  if (!symbol) throw new Error(error);
  const { data, width, height } = symbol;
  const scale = 4;
  const border = 8 * scale;
  const rows = Array.from({ length: height * scale + 2 * border }, (_, y) => {
    const row = Buffer.alloc(1 + (width * scale + 2 * border) * 3, 255);
    row[0] = 0;
    const source = Math.floor((y - border) / scale);
    if (source < 0 || source >= height) return row;
    for (let x = 0; x < width * scale; x += 1) {
      if ((data[source * width + Math.floor(x / scale)] as number) < 128)
        row.fill(0, 1 + (border + x) * 3, 4 + (border + x) * 3);
    }
    return row;
  });
  return pngOf(width * scale + 2 * border, rows.length, rows);
}
