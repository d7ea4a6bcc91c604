/** Pseudo-random numbers that are the same for the same seed (mulberry32). */
export interface Random {
  /** 0..1 */
  next(): number;
  /** A whole number, 0..n-1. */
  below(n: number): number;
  between(low: number, high: number): number;
  chance(p: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Numbers of their own, decided by this one's. */
  fork(): Random;
}

export function randomFrom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return {
    next,
    below,
    between: (low, high) => low + next() * (high - low),
    chance: (p) => next() < p,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
    fork: () => randomFrom(below(2 ** 31)),
  };
}
