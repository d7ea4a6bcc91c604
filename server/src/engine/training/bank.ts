import { type PatchBank, projectPatches } from '../dense/patches.ts';
import { Cancelled, type Watch } from './fit.ts';
import { randomFrom } from './random.ts';
import { spreadOf } from './two-layer.ts';

export interface BankProblem {
  /** float32 [patches, dims] of usual pictures, shared memory. */
  rows: Float32Array;
  dims: number;
  /** Most patches that are kept. */
  patchesMax: number;
  seed: number;
}

export type FittedBank = PatchBank;

const width = 64;
/** Candidates are compared with each kept patch; more of them would take minutes. */
const candidatesMax = 12_000;

/**
 * Chooses the patches that stand for all: each next one is the one farthest from those chosen, so that rare but
 * usual looks are kept too. Distances are taken after a random projection, which keeps them well enough.
 *
 * Source: Roth et al. 2022 (PatchCore); Sener and Savarese 2018 for the greedy choice.
 */
export function fitBank({ rows, dims, patchesMax, seed }: BankProblem, watch: Watch): FittedBank {
  const random = randomFrom(seed);
  const spread = spreadOf(rows, dims);
  const projection = Float32Array.from(
    { length: dims * width },
    () => (random() + random() + random() - 1.5) * 2 * Math.sqrt(1 / width),
  );
  const frame = { ...spread, projection, width };
  const count = rows.length / dims;
  const step = Math.max(1, count / candidatesMax);
  const chosen = Array.from({ length: Math.floor(count / step) }, (_, index) => Math.floor(index * step));
  const candidates = new Float32Array(chosen.length * dims);
  chosen.forEach((row, at) => {
    candidates.set(rows.subarray(row * dims, (row + 1) * dims), at * dims);
  });
  const projected = projectPatches(candidates, frame);
  return { ...frame, bank: farthestFirst(projected, Math.min(patchesMax, chosen.length), watch, random) };
}

function farthestFirst(points: Float32Array, most: number, watch: Watch, random: () => number): Float32Array {
  const count = points.length / width;
  const bank = new Float32Array(most * width);
  const nearest = new Float32Array(count).fill(Number.POSITIVE_INFINITY);
  let next = Math.floor(random() * count);
  for (let kept = 0; kept < most; kept += 1) {
    if (watch.cancelled()) throw new Cancelled('training was cancelled');
    if (kept % 16 === 0) watch.progress(kept / most);
    const own = points.subarray(next * width, (next + 1) * width);
    bank.set(own, kept * width);
    let farthest = -1;
    for (let point = 0; point < count; point += 1) {
      let distance = 0;
      const at = point * width;
      for (let k = 0; k < width; k += 1) {
        const apart = (points[at + k] as number) - (own[k] as number);
        distance += apart * apart;
      }
      if (distance < (nearest[point] as number)) nearest[point] = distance;
      if (farthest < 0 || (nearest[point] as number) > (nearest[farthest] as number)) farthest = point;
    }
    next = farthest;
    if ((nearest[next] as number) <= 0) return bank.slice(0, (kept + 1) * width);
  }
  return bank;
}
