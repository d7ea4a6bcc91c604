import type { VectorCollection, VectorPage } from '#domain/vector-store.ts';

/** Where the vectors come from that an index should hold. */
export interface Truth {
  page(afterKey: number, limit: number): Promise<VectorPage>;
  read(keys: readonly number[]): Promise<VectorPage>;
}

export interface Findings {
  /** Vectors there are. */
  readonly total: number;
  /** In the truth alone. */
  readonly missing: number;
  /** In the index alone; mostly left by deletions, and never returned. */
  readonly extra: number;
  /** In both, with other numbers. */
  readonly differing: number;
  /** How many of these were put right. */
  readonly repaired: number;
  /** Keys of some of them, to look into. */
  readonly examples: readonly number[];
}

export interface VerifyOptions {
  readonly truth: Truth;
  readonly index: VectorCollection;
  /** Lets the index take in what was written meanwhile. */
  readonly settle: () => Promise<unknown>;
  readonly repair: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => Promise<void>;
}

const pageRows = 2_048;
const examplesMax = 20;
/** Stores that take vectors as text may give them back a rounding away. */
const tolerance = 1e-6;

type Kind = 'missing' | 'extra' | 'differing';

/**
 * Compares an index with the truth, both walked in the order of their keys. Writers go on meanwhile, so what looks wrong
 * is looked at again, one by one, after the index has caught up; only what is wrong then counts.
 */
export async function verifyIndex(options: VerifyOptions): Promise<Findings> {
  const { truth, index, settle, repair, signal, onProgress } = options;
  const counts = { missing: 0, extra: 0, differing: 0 };
  const examples: number[] = [];
  let [total, repaired] = [0, 0];
  for (let after = -1; ; ) {
    signal.throwIfAborted();
    const should = await truth.page(after, pageRows);
    const has = await index.page(after, pageRows);
    // Up to here both pages are whole.
    const end = Math.min(endOf(should), endOf(has));
    const suspects = compare(within(should, end), within(has, end), index.dims);
    total += within(should, end).keys.length;
    if (suspects.length > 0) {
      await settle();
      for (const key of suspects) {
        const now = await look(truth, index, key);
        if (!now) continue;
        counts[now.kind] += 1;
        if (examples.length < examplesMax) examples.push(key);
        if (!repair) continue;
        if (now.vector) await index.upsert([key], now.vector);
        else await index.remove([key]);
        repaired += 1;
      }
    }
    await onProgress(total);
    if (end === Number.POSITIVE_INFINITY) return { total, ...counts, repaired, examples };
    after = end;
  }
}

const endOf = ({ keys }: VectorPage): number =>
  keys.length < pageRows ? Number.POSITIVE_INFINITY : (keys[keys.length - 1] as number);

function within({ keys, vectors }: VectorPage, end: number): VectorPage {
  const n = end === Number.POSITIVE_INFINITY ? keys.length : keys.filter((key) => key <= end).length;
  return {
    keys: keys.subarray(0, n),
    vectors: vectors.subarray(0, n * (vectors.length / (keys.length || 1))),
  };
}

/** Keys at which two pages are not the same, ascending. */
export function compare(should: VectorPage, has: VectorPage, dims: number): number[] {
  const suspects: number[] = [];
  for (let s = 0, h = 0; s < should.keys.length || h < has.keys.length; ) {
    const [a, b] = [should.keys[s] ?? Number.POSITIVE_INFINITY, has.keys[h] ?? Number.POSITIVE_INFINITY];
    if (a !== b) {
      suspects.push(Math.min(a, b));
      if (a < b) s += 1;
      else h += 1;
      continue;
    }
    if (!isSame(rowOf(should, s, dims), rowOf(has, h, dims))) suspects.push(a);
    s += 1;
    h += 1;
  }
  return suspects;
}

const rowOf = ({ vectors }: VectorPage, row: number, dims: number) =>
  vectors.subarray(row * dims, (row + 1) * dims);

const isSame = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((x, d) => Math.abs(x - (b[d] as number)) <= tolerance);

async function look(
  truth: Truth,
  index: VectorCollection,
  key: number,
): Promise<{ kind: Kind; vector?: Float32Array } | undefined> {
  const has = await index.page(key - 1, 1);
  const should = await truth.read([key]);
  const isThere = has.keys[0] === key;
  if (should.keys.length === 0) return isThere ? { kind: 'extra' } : undefined;
  const vector = should.vectors;
  if (!isThere) return { kind: 'missing', vector };
  return isSame(vector, has.vectors) ? undefined : { kind: 'differing', vector };
}
