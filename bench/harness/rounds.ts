import type { BenchContext } from './bench.ts';

/** One side of a comparison: does its work once and tells what it cost. */
export type Side = () => Promise<number>;

/**
 * Runs sides by turns, A B A B, so that whatever else the machine does falls on all of them. One round beforehand
 * warms up and is thrown away.
 *
 * @returns the costs of each side, by round
 */
export async function interleaved<Name extends string>(
  context: Pick<BenchContext, 'rounds'>,
  sides: Readonly<Record<Name, Side>>,
  options: { warmUp?: boolean } = {},
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const costs = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  if (options.warmUp ?? true) for (const name of names) await sides[name]();
  for (let round = 0; round < context.rounds; round++) {
    for (const name of names) costs[name].push(await sides[name]());
  }
  return costs;
}

/** a / b, round by round. */
export const ratios = (a: readonly number[], b: readonly number[]): number[] =>
  a.map((value, round) => value / (b[round] as number));
