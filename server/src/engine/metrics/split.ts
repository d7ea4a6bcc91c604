import { randomFrom, shuffle } from '#engine/training/random.ts';

/**
 * Deals rows into folds so that every group (usually a class) is spread as evenly as it can be.
 *
 * @param groups one group number per row, any whole numbers
 * @returns fold number, 0..folds-1, per row; the same for the same seed
 */
export function stratifiedFolds(groups: ArrayLike<number>, folds: number, seed: number): Int32Array {
  if (!Number.isInteger(folds) || folds < 2)
    throw new RangeError(`There are at least 2 folds, not ${folds}.`);
  const foldOf = new Int32Array(groups.length);
  let dealt = 0;
  for (const members of shuffledGroups(groups, seed)) {
    // Dealing goes on where the group before stopped, so that small groups do not all land in fold 0.
    for (const row of members) {
      foldOf[row] = dealt % folds;
      dealt += 1;
    }
  }
  return foldOf;
}

/**
 * Chooses rows to hold out: about `share` of every group, never a group's last row.
 *
 * @param share 0..1
 * @returns 1 per row held out, else 0; the same for the same seed
 */
export function stratifiedHoldOut(groups: ArrayLike<number>, share: number, seed: number): Uint8Array {
  const held = new Uint8Array(groups.length);
  let owed = 0;
  for (const members of shuffledGroups(groups, seed)) {
    owed += members.length * share;
    // What rounding left over is owed by the next group: the total stays near the share asked.
    const take = Math.max(0, Math.min(Math.round(owed), members.length - 1));
    owed -= take;
    for (let i = 0; i < take; i += 1) held[members[i] as number] = 1;
  }
  return held;
}

function shuffledGroups(groups: ArrayLike<number>, seed: number): number[][] {
  const members = new Map<number, number[]>();
  for (let row = 0; row < groups.length; row += 1) {
    const group = groups[row] as number;
    const rows = members.get(group);
    if (rows === undefined) members.set(group, [row]);
    else rows.push(row);
  }
  const random = randomFrom(seed);
  const ordered = [...members].sort(([a], [b]) => a - b);
  return ordered.map(([, rows]) => shuffle(rows, random));
}
