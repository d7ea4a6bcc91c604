import { engineFault } from './faults.ts';

/** Upright pixels: RGB, three bytes each, rows from the top. */
export interface RawPixels {
  width: number;
  height: number;
  pixels: Buffer;
}

interface BmpHeader {
  width: number;
  height: number;
  topDown: boolean;
  bitsPerPixel: number;
  pixelsAt: number;
  paletteAt: number;
  rowBytes: number;
}

const rgb = 0;
const bitFields = 3;

/**
 * Reads the size of a Windows bitmap from its header.
 *
 * @throws Fault 30300 when the header is cut short or is of a kind that `decodeBmp` does not read
 */
export function readBmpHeader(bytes: Buffer): BmpHeader {
  if (bytes.length < 54) throw engineFault.undecodable('the bitmap ends inside its header');
  const headerBytes = bytes.readUInt32LE(14);
  const width = bytes.readInt32LE(18);
  const storedHeight = bytes.readInt32LE(22);
  const bitsPerPixel = bytes.readUInt16LE(28);
  const compression = bytes.readUInt32LE(30);
  const plain = compression === rgb || (compression === bitFields && bitsPerPixel === 32);
  if (headerBytes < 40 || !plain || ![8, 24, 32].includes(bitsPerPixel)) {
    throw engineFault.undecodable(
      `bitmaps of ${bitsPerPixel} bits with compression ${compression} are not read`,
    );
  }
  const height = Math.abs(storedHeight);
  if (width <= 0 || height === 0) throw engineFault.undecodable('the bitmap has no pixels');
  return {
    width,
    height,
    topDown: storedHeight < 0,
    bitsPerPixel,
    pixelsAt: bytes.readUInt32LE(10),
    paletteAt: 14 + headerBytes,
    rowBytes: Math.ceil((width * bitsPerPixel) / 32) * 4,
  };
}

/**
 * Decodes an uncompressed Windows bitmap of 8, 24 or 32 bits per pixel; transparency is ignored. The caller
 * has checked the size from `readBmpHeader` against its limits.
 *
 * @throws Fault 30300 when pixels are missing
 *
 * Source: BITMAPFILEHEADER and BITMAPINFOHEADER of the Windows API; rows are padded to four bytes, blue first.
 */
export function decodeBmp(bytes: Buffer): RawPixels {
  const header = readBmpHeader(bytes);
  const { width, height, rowBytes, pixelsAt } = header;
  if (pixelsAt + rowBytes * height > bytes.length)
    throw engineFault.undecodable('the bitmap ends before its last row');
  const pixels = Buffer.allocUnsafe(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = pixelsAt + (header.topDown ? row : height - 1 - row) * rowBytes;
    copyRow(bytes, from, pixels, row * width * 3, header);
  }
  return { width, height, pixels };
}

function copyRow(bytes: Buffer, from: number, pixels: Buffer, to: number, header: BmpHeader): void {
  const step = header.bitsPerPixel / 8;
  let out = to;
  for (let column = 0; column < header.width; column++) {
    const at = from + column * step;
    const blue = step === 1 ? header.paletteAt + (bytes[at] as number) * 4 : at;
    pixels[out++] = bytes[blue + 2] as number;
    pixels[out++] = bytes[blue + 1] as number;
    pixels[out++] = bytes[blue] as number;
  }
}
