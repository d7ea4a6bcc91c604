import { DataSchema } from '@fovea/contract';
import type { Embedder } from '#domain/app-embedders.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { cropToBox } from '#engine/crop.ts';
import type { Vectors } from '#engine/training/index.ts';
import { unpackBody } from '../../common/translate.ts';
import { type InputKind, labelPages, regionData, vectorsOf } from './data-store.ts';
import type { TrainingDeps } from './deps.ts';
import type { Frame } from './frame.ts';
import { openSamples, type Samples, samplesWhere } from './problem.ts';
import type { VectorStore } from './vector-store.ts';

const samplesPerLook = 1_000;
const computedAtOnce = 4;

/** The labelled inputs and regions of the scope, read a few thousand at a time. */
export async function gatherSamples(
  { deps, grant, scope, progress }: Pick<Frame, 'deps' | 'grant' | 'scope' | 'progress'>,
  conceptIds: readonly string[],
  kind: InputKind = 'image',
): Promise<Samples> {
  const samples = openSamples(conceptIds);
  for await (const labels of labelPages(deps.db, grant, scope, conceptIds, kind)) {
    progress.signal.throwIfAborted();
    for (const label of labels) samples.add(label);
  }
  return samples.done();
}

export interface GatheredVectors<Kept extends Vectors = Vectors> {
  /** The samples that have a vector, in order. */
  readonly samples: Samples;
  /** float32 [samples, dims], each of length one, where the store put them. */
  readonly vectors: Kept;
  readonly dims: number;
  /** Samples whose picture could not be embedded. */
  readonly unusable: number;
  /** How many were computed now because they were not stored. */
  readonly computed: number;
}

/**
 * The vector of every sample: stored ones from the database, missing ones computed now. They are written straight to
 * where they are trained from, so that a million of them are held once, or not at all.
 *
 * @param options.store where they go; it has room for `spareRows` more behind them
 */
export async function gatherVectors<Kept extends Vectors>(
  deps: TrainingDeps,
  grant: AppGrant,
  embedder: Embedder,
  samples: Samples,
  options: {
    signal: AbortSignal;
    store: VectorStore<Kept>;
    spareRows?: number;
    progress(fraction: number): Promise<void>;
  },
): Promise<GatheredVectors<Kept>> {
  const { count, vectorKeys } = samples;
  const { store, signal } = options;
  const isKept = new Uint8Array(count);
  let [dims, rows, computed] = [0, 0, 0];
  for (let from = 0; from < count; from += samplesPerLook) {
    const to = Math.min(count, from + samplesPerLook);
    const keys = [...vectorKeys.subarray(from, to)].filter((key) => key !== 0);
    const stored = await vectorsOf(deps.db, grant, embedder.modelVersionKey, keys);
    const found = new Map<number, Float32Array>();
    const missing: number[] = [];
    for (let row = from; row < to; row += 1) {
      const vector = stored.get(vectorKeys[row] as number);
      if (vector) found.set(row, vector);
      else missing.push(row);
    }
    for (let at = 0; at < missing.length; at += computedAtOnce) {
      signal.throwIfAborted();
      const batch = missing.slice(at, at + computedAtOnce);
      const made = await Promise.all(
        batch.map((row) => computeVector(deps, grant, embedder, samples, row, signal)),
      );
      for (const [index, vector] of made.entries()) if (vector) found.set(batch[index] as number, vector);
      computed += made.filter((vector) => vector !== undefined).length;
      await options.progress((from + at) / count);
    }
    const inOrder = Array.from({ length: to - from }, (_, at) => found.get(from + at));
    const some = inOrder.filter((vector) => vector !== undefined);
    for (const [at, vector] of inOrder.entries()) if (vector) isKept[from + at] = 1;
    if (dims === 0 && some[0]) {
      dims = some[0].length;
      await store.begin(count + (options.spareRows ?? 0), dims);
    }
    await store.add(some);
    rows += some.length;
    signal.throwIfAborted();
    await options.progress(to / count);
  }
  return {
    samples: samplesWhere(samples, (row) => isKept[row] === 1),
    vectors: store.vectors,
    dims,
    unusable: count - rows,
    computed,
  };
}

/** @returns undefined for a picture that cannot be read; other trouble is thrown and the job tried again */
async function computeVector(
  deps: TrainingDeps,
  grant: AppGrant,
  embedder: Embedder,
  { inputKeys, regionKeys }: Samples,
  row: number,
  signal: AbortSignal,
): Promise<Float32Array | undefined> {
  try {
    const bytes = await deps.readImageBytes(grant, inputKeys[row] as number);
    const regionKey = regionKeys[row] as number;
    const shown = regionKey === 0 ? bytes : await cutRegion(deps, grant, bytes, regionKey);
    return await deps.engine.embed(embedder.builtin, { bytes: shown }, { background: true, signal });
  } catch (fault) {
    if (fault instanceof Fault && fault.code >= 30_000 && fault.code < 40_000) return undefined;
    throw fault;
  }
}

/** Regions without a box are taken for the whole picture, as the search does. */
async function cutRegion(
  deps: TrainingDeps,
  grant: AppGrant,
  bytes: Buffer,
  regionKey: number,
): Promise<Buffer> {
  const row = await regionData(deps.db, grant, regionKey);
  const box = row ? unpackBody(DataSchema, row.data).regions[0]?.regionInfo?.boundingBox : undefined;
  if (!box) return bytes;
  return cropToBox(bytes, { top: box.topRow, left: box.leftCol, bottom: box.bottomRow, right: box.rightCol });
}
