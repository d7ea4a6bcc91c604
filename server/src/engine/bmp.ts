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

/** About ten milliseconds of work. */
const pixelsPerTurn = 1_000_000;

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
  if (headerBytes < 40 || !plain || ![1, 4, 8, 16, 24, 32].includes(bitsPerPixel)) {
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
 * Decodes an uncompressed Windows bitmap of 1 to 32 bits per pixel; transparency is ignored. The caller has checked
 * the size from `readBmpHeader` against its limits. Large ones are worked on in turns, so that others get theirs.
 *
 * @throws Fault 30300 when pixels are missing
 *
 * Source: BITMAPFILEHEADER and BITMAPINFOHEADER of the Windows API; rows are padded to four bytes, blue first.
 */
export async function decodeBmp(bytes: Buffer): Promise<RawPixels> {
  const header = readBmpHeader(bytes);
  const { width, height, rowBytes, pixelsAt } = header;
  if (pixelsAt + rowBytes * height > bytes.length)
    throw engineFault.undecodable('the bitmap ends before its last row');
  const pixels = Buffer.allocUnsafe(width * height * 3);
  const rowsPerTurn = Math.max(1, Math.floor(pixelsPerTurn / width));
  for (let row = 0; row < height; row++) {
    if (row % rowsPerTurn === rowsPerTurn - 1) await new Promise((resolve) => setImmediate(resolve));
    const from = pixelsAt + (header.topDown ? row : height - 1 - row) * rowBytes;
    copyRow(bytes, from, pixels, row * width * 3, header);
  }
  return { width, height, pixels };
}

function copyRow(bytes: Buffer, from: number, pixels: Buffer, to: number, header: BmpHeader): void {
  const { bitsPerPixel, paletteAt, width } = header;
  if (bitsPerPixel === 16) {
    copyRow16(bytes, from, pixels, to, width);
    return;
  }
  const step = bitsPerPixel / 8;
  let out = to;
  for (let column = 0; column < width; column++) {
    const blue = step > 1 ? from + column * step : paletteAt + indexAt(bytes, from, column, bitsPerPixel) * 4;
    pixels[out++] = bytes[blue + 2] as number;
    pixels[out++] = bytes[blue + 1] as number;
    pixels[out++] = bytes[blue] as number;
  }
}

/** Several pixels may share a byte, the first in its highest bits. */
function indexAt(bytes: Buffer, from: number, column: number, bits: number): number {
  const perByte = 8 / bits;
  const byte = bytes[from + Math.floor(column / perByte)] as number;
  return (byte >> (8 - bits * ((column % perByte) + 1))) & ((1 << bits) - 1);
}

/** Five bits for each colour, one unused. */
function copyRow16(bytes: Buffer, from: number, pixels: Buffer, to: number, width: number): void {
  let out = to;
  for (let column = 0; column < width; column++) {
    const word = bytes.readUInt16LE(from + column * 2);
    for (const shift of [10, 5, 0]) pixels[out++] = Math.round((((word >> shift) & 31) * 255) / 31);
  }
}
