import { applyHead, decodeTrained, type Part, type Trained } from '#engine/training/index.ts';
import { bytesOf, contentKey, type ObjectStore } from '#store/objects/index.ts';
import { predictionFault } from './faults.ts';

/** Trained heads and other parts, read from the object store once and kept while they are in use. */
export interface Heads {
  /** Probabilities of the head's classes for one embedding, 0..1. @throws Fault when the head is missing or damaged */
  apply(modelId: string, sha: Buffer, embedding: Float32Array): Promise<Float32Array>;
  /** A part of a kind that the caller knows. @throws Fault when it is missing, damaged or of another kind */
  part(modelId: string, sha: Buffer, kind: string): Promise<Part>;
}

/** A head of 1,000 classes on 512 numbers takes 2 MB. */
const headsMax = 64;

export function openHeads(objects: ObjectStore): Heads {
  const kept = new Map<string, Promise<Trained>>();

  async function read(sha: string): Promise<Trained> {
    const stored = await objects.get(contentKey(sha));
    if (!stored) throw new Error(`object ${sha} is missing`);
    return decodeTrained(await bytesOf(stored));
  }

  function trainedOf(sha: string): Promise<Trained> {
    const found = kept.get(sha) ?? read(sha);
    // Put back at the end: the first of the map is then the one unused for longest.
    kept.delete(sha);
    kept.set(sha, found);
    found.catch(() => kept.delete(sha));
    if (kept.size > headsMax) kept.delete(kept.keys().next().value as string);
    return found;
  }

  async function trained(modelId: string, sha: Buffer): Promise<Trained> {
    try {
      return await trainedOf(sha.toString('hex'));
    } catch (cause) {
      throw predictionFault.damagedHead(modelId, cause);
    }
  }

  return {
    async apply(modelId, sha, embedding) {
      const found = await trained(modelId, sha);
      if (found.type !== 'head')
        throw predictionFault.damagedHead(modelId, `a ${found.part.kind} is no head`);
      const { head } = found;
      if (embedding.length !== head.dims) throw predictionFault.wrongLength(head.dims, embedding.length);
      return applyHead(head, embedding);
    },

    async part(modelId, sha, kind) {
      const found = await trained(modelId, sha);
      if (found.type !== 'part' || found.part.kind !== kind)
        throw predictionFault.damagedHead(modelId, `it is no ${kind}`);
      return found.part;
    },
  };
}
