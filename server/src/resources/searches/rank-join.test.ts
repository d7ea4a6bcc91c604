import { expect, test } from 'vitest';
import { rankJoin } from './rank-join.ts';

/** A small generator with a fixed period, so that failures repeat. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4_294_967_296;
  };
}

interface Hit {
  readonly key: number;
  readonly near: number;
  /** Undefined: no hit after all. */
  readonly said: number | undefined;
}

const together = (near: number, said: number) => (2 * near + said) / 3;

/** Joins, handing out `block` hits at a time, and with the `first` of which most is said given before. */
async function joined(all: readonly Hit[], wanted: number, minScore: number, block: number, first: number) {
  const nearest = [...all].sort((a, b) => b.near - a.near);
  const said = all.filter((hit) => hit.said !== undefined).sort((a, b) => (b.said ?? 0) - (a.said ?? 0));
  let at = 0;
  const found = await rankJoin<Hit>({
    wanted,
    minScore,
    keyOf: ({ key }) => key,
    together,
    saidFirst: said.slice(0, first).map((hit) => ({ hit, near: hit.near, said: hit.said ?? 0 })),
    saidElsewhere: first === 0 ? 1 : (said[first]?.said ?? 0),
    nextNear: async () => {
      const hits = nearest.slice(at, at + block).map((hit) => ({ hit, near: hit.near }));
      at += block;
      return { hits, floor: at >= nearest.length ? undefined : hits.at(-1)?.near };
    },
    saidOf: async (hits) =>
      new Map(hits.flatMap(({ key, said: words }) => (words === undefined ? [] : [[key, words] as const]))),
  });
  return { keys: found.map(({ hit }) => hit.key), looked: Math.min(at, all.length) };
}

const naive = (all: readonly Hit[], wanted: number, minScore: number) =>
  all
    .flatMap(({ key, near, said }) => (said === undefined ? [] : [{ key, score: together(near, said) }]))
    .filter(({ score }) => score >= minScore)
    .sort((a, b) => b.score - a.score || a.key - b.key)
    .slice(0, wanted)
    .map(({ key }) => key);

test.each([
  ['something is said of few', (random: () => number) => (random() < 0.02 ? 1 : 0)],
  ['everything is said to some degree', (random: () => number) => random()],
  ['equal scores are many', (random: () => number) => Math.round(random() * 3) / 3],
  ['many are no hits at all', (random: () => number) => (random() < 0.5 ? undefined : random())],
  ['nothing is said', () => 0],
] as const)('the best by both signals are found, where %s', async (_, say) => {
  const random = randomFrom(11);
  for (let round = 0; round < 40; round += 1) {
    const all = Array.from({ length: 300 }, (_, key) => ({
      key,
      near: round % 2 === 0 ? random() : Math.round(random() * 20) / 20,
      said: say(random),
    }));
    for (const [wanted, minScore, block, first] of [
      [10, 0, 7, 0],
      [10, 0, 7, 20],
      [1, 0.6, 50, 3],
      [300, 0, 64, 0],
      [5, 0, 1_000, 10],
    ] as const) {
      const { keys } = await joined(all, wanted, minScore, block, first);
      expect(keys).toEqual(naive(all, wanted, minScore));
    }
  }
});

test('it stops where nothing later can be better', async () => {
  const all = Array.from({ length: 10_000 }, (_, key) => ({
    key,
    near: 1 - key / 10_000,
    said: key % 3 === 0 ? 1 : 0,
  }));
  expect((await joined(all, 10, 0, 50, 0)).looked).toBe(50);
  // The few that something is said of are far away: they come from the other side, and the rest is decided by nearness.
  const few = all.map((hit) => ({ ...hit, said: hit.key >= 9_998 ? 1 : 0 }));
  expect(await joined(few, 10, 0, 50, 100)).toEqual({ keys: naive(few, 10, 0), looked: 50 });
});
