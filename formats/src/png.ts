import * as zlib from 'node:zlib';
import { deflateSync, inflateSync } from 'node:zlib';
import { concat, utf8 } from './files.ts';

/** Just enough PNG for masks: one channel of grey, or the first one of others; no interlacing. */
export interface Grey {
  readonly width: number;
  readonly height: number;
  /** Rows, one byte per pixel, 0 or 255. */
  readonly pixels: Uint8Array;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const pixelsMax = 100_000_000;

export function encodePng({ width, height, pixels }: Grey): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 0, 0, 0, 0], 8);
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return concat([
    Uint8Array.from(signature),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array()),
  ]);
}

function chunk(name: string, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(body.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, body.length);
  whole.set(utf8(name), 4);
  whole.set(body, 8);
  view.setUint32(body.length + 8, crc32(whole.subarray(4, body.length + 8)));
  return whole;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

const native = (zlib as { crc32?: (bytes: Uint8Array, before: number) => number }).crc32;

/** The checksum of PNG and ZIP; `before` goes on from an earlier part. Node 20.15 brings it along. */
export const crc32 = (bytes: Uint8Array, before = 0): number =>
  native ? native(bytes, before) : crc32Here(bytes, before);

/** The same without Node's. */
export function crc32Here(bytes: Uint8Array, before = 0): number {
  let c = ~before;
  for (let i = 0; i < bytes.length; i++)
    c = (crcTable[(c ^ (bytes[i] as number)) & 255] as number) ^ (c >>> 8);
  return ~c >>> 0;
}

/** Anything but 0 in the first channel (or in the palette's number) is set. @returns undefined for what it cannot read */
export function decodePng(bytes: Uint8Array): Grey | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function decode(bytes: Uint8Array): Grey | undefined {
  if (signature.some((byte, i) => bytes[i] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, colour, , , interlaced] = bytes.subarray(24, 29) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const channels = channelsOf[colour];
  if (!channels || interlaced !== 0 || ![1, 2, 4, 8, 16].includes(depth) || width * height > pixelsMax)
    return undefined;
  const data: Uint8Array[] = [];
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (textAt(bytes, at + 4) === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const stride = Math.ceil((width * channels * depth) / 8);
  const raw = inflateSync(concat(data), { maxOutputLength: (stride + 1) * height });
  const rows = unfilter(raw, stride, height, Math.max(1, (channels * depth) >> 3));
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * channels * depth;
      const byte = rows[y * stride + (bit >> 3)] as number;
      const value = depth >= 8 ? byte : (byte >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
      pixels[y * width + x] = value === 0 ? 0 : 255;
    }
  }
  return { width, height, pixels };
}

const textAt = (bytes: Uint8Array, at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));

function unfilter(raw: Uint8Array, stride: number, height: number, step: number): Uint8Array {
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const kind = raw[y * (stride + 1)] as number;
    for (let i = 0; i < stride; i++) {
      const at = y * stride + i;
      const left = i >= step ? (rows[at - step] as number) : 0;
      const up = y > 0 ? (rows[at - stride] as number) : 0;
      const corner = i >= step && y > 0 ? (rows[at - stride - step] as number) : 0;
      rows[at] = (raw[y * (stride + 1) + 1 + i] as number) + guess(kind, left, up, corner);
    }
  }
  return rows;
}

function guess(kind: number, left: number, up: number, corner: number): number {
  if (kind === 1) return left;
  if (kind === 2) return up;
  if (kind === 3) return (left + up) >> 1;
  if (kind !== 4) return 0;
  const [dl, du, dc] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (dl <= du && dl <= dc) return left;
  return du <= dc ? up : corner;
}
