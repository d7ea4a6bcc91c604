import { createHash } from 'node:crypto';
import { decodeHead, type Head } from './head.ts';

/** Facts and numbers that training made; `kind` says what they are for. */
export interface Part {
  kind: string;
  facts: Record<string, unknown>;
  /** In shared memory once read back, so that threads may use them where they lie. */
  arrays: Record<string, Float32Array>;
}

const magic = 0x50_56_4f_46; // "FOVP"
const version = 1;
const prefixBytes = 12;
const checksumBytes = 32;
const pad = (length: number): number => Math.ceil(length / 4) * 4;

/**
 * Bytes to store a part: a magic word, a version, the length of a JSON description padded to four bytes, the
 * description, the numbers as float32 one array after another, and last a SHA-256 of all before it. All little-endian.
 */
export function encodePart({ kind, facts, arrays }: Part): Uint8Array {
  const lengths = Object.entries(arrays).map(([name, numbers]) => [name, numbers.length] as const);
  const words = new TextEncoder().encode(JSON.stringify({ kind, facts, arrays: lengths }));
  const numbersAt = prefixBytes + pad(words.length);
  const end = numbersAt + lengths.reduce((sum, [, length]) => sum + length * 4, 0);
  const bytes = new Uint8Array(end + checksumBytes);
  const view = new DataView(bytes.buffer);
  [magic, version, words.length].forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  bytes.set(words, prefixBytes);
  let at = numbersAt;
  for (const numbers of Object.values(arrays)) {
    bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), at);
    at += numbers.byteLength;
  }
  bytes.set(createHash('sha256').update(bytes.subarray(0, end)).digest(), end);
  return bytes;
}

/** @throws Error saying what is wrong when the bytes are not a whole part of a known version */
export function decodePart(stored: Uint8Array): Part {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  if (stored.length < prefixBytes + checksumBytes || view.getUint32(0, true) !== magic)
    throw new Error('these bytes are not a trained part');
  if (view.getUint32(4, true) !== version)
    throw new Error(
      `this part was stored in version ${view.getUint32(4, true)}; version ${version} is understood`,
    );
  const end = stored.length - checksumBytes;
  const checksum = createHash('sha256').update(stored.subarray(0, end)).digest();
  if (!checksum.equals(stored.subarray(end)))
    throw new Error('the trained part is damaged: its checksum differs');
  const length = view.getUint32(8, true);
  const { kind, facts, arrays } = JSON.parse(
    new TextDecoder().decode(stored.subarray(prefixBytes, prefixBytes + length)),
  ) as { kind: string; facts: Part['facts']; arrays: [string, number][] };
  let at = prefixBytes + pad(length);
  const read = arrays.map(([name, count]) => {
    const shared = new SharedArrayBuffer(count * 4);
    new Uint8Array(shared).set(stored.subarray(at, at + count * 4));
    at += count * 4;
    return [name, new Float32Array(shared)] as const;
  });
  return { kind, facts, arrays: Object.fromEntries(read) };
}

/** What a version was trained to: a linear head on embeddings, or another part. */
export type Trained = { type: 'head'; head: Head } | { type: 'part'; part: Part };

/** @throws as `decodeHead` and `decodePart` */
export function decodeTrained(stored: Uint8Array): Trained {
  const first = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const isPart = stored.length > prefixBytes && first.getUint32(0, true) === magic;
  return isPart ? { type: 'part', part: decodePart(stored) } : { type: 'head', head: decodeHead(stored) };
}
