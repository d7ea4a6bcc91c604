import { DataSchema } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { cropToBox } from '#engine/crop.ts';
import { unpackBody } from '../../common/translate.ts';
import { regionData, vectorsOf } from './data-store.ts';
import type { Embedder, TrainingDeps } from './deps.ts';
import type { Sample } from './problem.ts';

const samplesPerLook = 2_000;
const computedAtOnce = 4;

export interface GatheredVectors {
  /** The samples that have a vector, in order. */
  readonly samples: Sample[];
  /** float32 [samples, dims], each of length one. */
  readonly vectors: Float32Array;
  readonly dims: number;
  /** Samples whose picture could not be embedded. */
  readonly unusable: number;
  /** How many were computed now because they were not stored. */
  readonly computed: number;
}

/** The vector of every sample: stored ones from the database, missing ones computed now. */
export async function gatherVectors(
  deps: TrainingDeps,
  grant: AppGrant,
  embedder: Embedder,
  samples: readonly Sample[],
  options: { signal: AbortSignal; progress(fraction: number): Promise<void> },
): Promise<GatheredVectors> {
  const found = new Map<Sample, Float32Array>();
  let computed = 0;
  let unusable = 0;
  for (let from = 0; from < samples.length; from += samplesPerLook) {
    const part = samples.slice(from, from + samplesPerLook);
    const keys = part.flatMap(({ vectorKey }) => (vectorKey === null ? [] : [vectorKey]));
    const stored = await vectorsOf(deps.db, grant, embedder.modelVersionKey, keys);
    const missing: Sample[] = [];
    for (const sample of part) {
      const vector = sample.vectorKey === null ? undefined : stored.get(sample.vectorKey);
      if (vector) found.set(sample, floatsOf(vector));
      else missing.push(sample);
    }
    for (let at = 0; at < missing.length; at += computedAtOnce) {
      options.signal.throwIfAborted();
      const batch = missing.slice(at, at + computedAtOnce);
      const made = await Promise.all(
        batch.map((sample) => computeVector(deps, grant, embedder, sample, options.signal)),
      );
      made.forEach((vector, index) => {
        if (vector) found.set(batch[index] as Sample, vector);
        else unusable += 1;
      });
      computed += made.filter((vector) => vector !== undefined).length;
      await options.progress((from + at) / samples.length);
    }
  }
  const kept = samples.filter((sample) => found.has(sample));
  const dims = found.values().next().value?.length ?? 0;
  const vectors = new Float32Array(new SharedArrayBuffer(kept.length * dims * 4));
  kept.forEach((sample, row) => {
    vectors.set(found.get(sample) as Float32Array, row * dims);
  });
  return { samples: kept, vectors, dims, unusable, computed };
}

/** Stored bytes as floats; copied, because a slice of a larger buffer need not be aligned. */
export function floatsOf(bytes: Buffer): Float32Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return new Float32Array(copy.buffer);
}

/** @returns undefined for a picture that cannot be read; other trouble is thrown and the job tried again */
async function computeVector(
  deps: TrainingDeps,
  grant: AppGrant,
  embedder: Embedder,
  sample: Sample,
  signal: AbortSignal,
): Promise<Float32Array | undefined> {
  try {
    const bytes = await deps.readImageBytes(grant, sample.inputKey);
    const shown = sample.regionKey === 0 ? bytes : await cutRegion(deps, grant, bytes, sample.regionKey);
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
