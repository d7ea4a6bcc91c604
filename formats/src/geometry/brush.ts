import type { Mask } from '../record.ts';
import { bitmapOfMask, maskFromBitmap } from './rle.ts';

/**
 * The packed runs of Label Studio's brush: a stream of bits with the count of values, their width, four widths of run
 * lengths, then runs of equal values and stretches of single ones. The values are RGBA; alpha is the mask.
 *
 * @see https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack the definition of the stream
 */
const lengthBits = [4, 8, 12, 16] as const;

export function packBrush(mask: Mask): number[] {
  const pixels = bitmapOfMask(mask);
  const bits = new BitWriter();
  bits.write(pixels.length * 4, 32);
  bits.write(7, 5);
  for (const size of lengthBits) bits.write(size - 1, 4);
  for (let at = 0; at < pixels.length; ) {
    let end = at + 1;
    while (end < pixels.length && pixels[end] === pixels[at]) end += 1;
    writeRun(bits, (end - at) * 4, pixels[at] === 0 ? 0 : 255);
    at = end;
  }
  return bits.bytes();
}

function writeRun(bits: BitWriter, length: number, value: number): void {
  for (let left = length; left > 0; ) {
    const run = Math.min(left, 2 ** 16);
    const kind = lengthBits.findIndex((size) => run <= 2 ** size);
    bits.write(1, 1);
    bits.write(kind, 2);
    bits.write(run - 1, lengthBits[kind] as number);
    bits.write(value, 8);
    left -= run;
  }
}

/** @returns undefined for a stream that is broken or of another size than the picture */
export function unpackBrush(bytes: readonly number[], width: number, height: number): Mask | undefined {
  const bits = new BitReader(bytes);
  const count = bits.read(32);
  if (count !== width * height * 4) return undefined;
  const word = bits.read(5) + 1;
  const sizes = [0, 0, 0, 0].map(() => bits.read(4) + 1);
  const pixels = new Uint8Array(width * height);
  for (let at = 0; at < count; ) {
    if (bits.isOver) return undefined;
    const isRun = bits.read(1) === 1;
    const end = at + 1 + bits.read(sizes[bits.read(2)] as number);
    if (end > count) return undefined;
    for (const value = isRun ? bits.read(word) : 0; at < end; at++) {
      const one = isRun ? value : bits.read(word);
      if (at % 4 === 3 && one > 0) pixels[at >> 2] = 1;
    }
  }
  return maskFromBitmap(pixels, width, height);
}

class BitWriter {
  private readonly out: number[] = [];
  private held = 0;
  private count = 0;

  write(value: number, size: number): void {
    for (let bit = size - 1; bit >= 0; bit--) {
      this.held = (this.held << 1) | (Math.floor(value / 2 ** bit) & 1);
      if (++this.count === 8) this.flush();
    }
  }

  private flush(): void {
    this.out.push(this.held);
    this.held = 0;
    this.count = 0;
  }

  bytes(): number[] {
    while (this.count > 0) this.write(0, 1);
    return this.out;
  }
}

class BitReader {
  private at = 0;
  private readonly bytes: readonly number[];

  constructor(bytes: readonly number[]) {
    this.bytes = bytes;
  }

  get isOver(): boolean {
    return this.at >= this.bytes.length * 8;
  }

  read(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++, this.at++) {
      value = value * 2 + (((this.bytes[this.at >> 3] ?? 0) >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }
}
