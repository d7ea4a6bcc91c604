import { hashOf, printEdge } from './print.ts';
import { sample, type Window } from './same-picture.ts';

/** Bits of each band: two hashes that differ in at most four bits are equal in one of five bands. */
const bands = [13, 13, 13, 13, 12];
/** Hashes that differ in more bits are of other pictures, or of a larger cut than is looked for. */
const distanceMax = 11;

/** Finds hashes of 64 bits that differ in a few bits only. */
export class HashTable {
  readonly #keys: Float64Array;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #heads: Int32Array[];
  readonly #next: Int32Array[];

  /** @param hashes in the order of the keys */
  constructor(keys: readonly number[], hashes: readonly bigint[]) {
    this.#keys = Float64Array.from(keys);
    this.#low = Int32Array.from(hashes, (hash) => Number(BigInt.asIntN(32, hash)));
    this.#high = Int32Array.from(hashes, (hash) => Number(BigInt.asIntN(32, hash >> 32n)));
    this.#heads = bands.map((bits) => new Int32Array(1 << bits).fill(-1));
    this.#next = bands.map(() => new Int32Array(keys.length));
    // From the end, so that every list begins with its smallest key.
    for (let row = keys.length - 1; row >= 0; row--)
      for (const [b, part] of partsOf(hashes[row] as bigint).entries()) {
        (this.#next[b] as Int32Array)[row] = (this.#heads[b] as Int32Array)[part] as number;
        (this.#heads[b] as Int32Array)[part] = row;
      }
  }

  /**
   * Keys whose hashes are nearest to a hash, nearest first, equals by key. Of very many in one band only the first are
   * looked at: they are copies of each other, and being like one of them is enough.
   */
  near(hash: bigint, limit: number): { key: number; distance: number }[] {
    const [low, high] = [Number(BigInt.asIntN(32, hash)), Number(BigInt.asIntN(32, hash >> 32n))];
    const found = new Map<number, number>();
    for (const [b, part] of partsOf(hash).entries()) {
      let looked = 0;
      for (
        let row = (this.#heads[b] as Int32Array)[part] as number;
        row >= 0 && looked < lookMax;
        row = (this.#next[b] as Int32Array)[row] as number
      ) {
        looked += 1;
        const distance =
          bitsOf((this.#low[row] as number) ^ low) + bitsOf((this.#high[row] as number) ^ high);
        if (distance <= distanceMax) found.set(this.#keys[row] as number, distance);
      }
    }
    return [...found]
      .map(([key, distance]) => ({ key, distance }))
      .sort((a, b) => a.distance - b.distance || a.key - b.key)
      .slice(0, limit);
  }
}

const lookMax = 4_000;

function partsOf(hash: bigint): number[] {
  let rest = BigInt.asUintN(64, hash);
  return bands.map((bits) => {
    const part = Number(rest & ((1n << BigInt(bits)) - 1n));
    rest >>= BigInt(bits);
    return part;
  });
}

function bitsOf(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return (((x + (x >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

const windows: readonly Window[] = [0.92, 0.84].flatMap((side) =>
  [
    [0.5, 0.5],
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ].map(([x = 0, y = 0]) => ({ left: x * (1 - side), top: y * (1 - side), width: side, height: side })),
);

/** The hash of a picture, and those that cuts of it would have. */
export const probesOf = (grey: Uint8Array, hash: bigint): bigint[] => [
  hash,
  ...windows.map((window) => hashOf(sample(grey, window, printEdge))),
];
