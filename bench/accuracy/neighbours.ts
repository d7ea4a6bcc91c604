/** A picture by its vector, which is of length one. */
export interface Known {
  readonly label: string;
  readonly vector: Float32Array;
}

export interface Recall {
  /** Shares of the pictures, 0..1, with one of their own label among the one or ten nearest. */
  readonly atOne: number;
  readonly atTen: number;
  /** Share whose ten nearest choose the right label, the nearer having the say between equals. */
  readonly vote: number;
}

const looked = 10;

/** How often what lies nearest is of the same label: every test picture against all that were learnt from. */
export function recallOf(learnt: readonly Known[], tests: readonly Known[]): Recall {
  let [atOne, atTen, vote] = [0, 0, 0];
  for (const { label, vector } of tests) {
    const nearest = learnt
      .map((one) => ({ label: one.label, near: dot(one.vector, vector) }))
      .sort((a, b) => b.near - a.near)
      .slice(0, looked);
    if (nearest[0]?.label === label) atOne += 1;
    if (nearest.some((one) => one.label === label)) atTen += 1;
    if (chosen(nearest) === label) vote += 1;
  }
  const share = (count: number) => count / Math.max(1, tests.length);
  return { atOne: share(atOne), atTen: share(atTen), vote: share(vote) };
}

function chosen(nearest: readonly { label: string }[]): string | undefined {
  const votes = new Map<string, number>();
  for (const { label } of nearest) votes.set(label, (votes.get(label) ?? 0) + 1);
  // A map keeps the order of its first entries, which is that of nearness.
  return [...votes].reduce<[string, number] | undefined>(
    (a, b) => (a && a[1] >= b[1] ? a : b),
    undefined,
  )?.[0];
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
