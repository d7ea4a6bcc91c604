import { applyHead, decodeHead, type Head } from '#engine/training/index.ts';
import { bytesOf, contentKey, type ObjectStore } from '#store/objects/index.ts';
import { predictionFault } from './faults.ts';

/** Trained heads, read from the object store once and kept while they are in use. */
export interface Heads {
  /** Probabilities of the head's classes for one embedding, 0..1. @throws Fault when the head is missing or damaged */
  apply(modelId: string, sha: Buffer, embedding: Float32Array): Promise<Float32Array>;
}

/** A head of 1,000 classes on 512 numbers takes 2 MB. */
const headsMax = 64;

export function openHeads(objects: ObjectStore): Heads {
  const kept = new Map<string, Promise<Head>>();

  async function read(sha: string): Promise<Head> {
    const stored = await objects.get(contentKey(sha));
    if (!stored) throw new Error(`object ${sha} is missing`);
    return decodeHead(await bytesOf(stored));
  }

  function headOf(sha: string): Promise<Head> {
    const found = kept.get(sha) ?? read(sha);
    // Put back at the end: the first of the map is then the one unused for longest.
    kept.delete(sha);
    kept.set(sha, found);
    found.catch(() => kept.delete(sha));
    if (kept.size > headsMax) kept.delete(kept.keys().next().value as string);
    return found;
  }

  return {
    async apply(modelId, sha, embedding) {
      let head: Head;
      try {
        head = await headOf(sha.toString('hex'));
      } catch (cause) {
        throw predictionFault.damagedHead(modelId, cause);
      }
      if (embedding.length !== head.dims) throw predictionFault.wrongLength(head.dims, embedding.length);
      return applyHead(head, embedding);
    },
  };
}
