import { expect, test } from 'vitest';
import { appEmbedders } from './app-embedders.ts';

const of = (modelVersionKey: number) => ({ modelVersionKey, builtin: `e${modelVersionKey}` });

test.each([
  ['nothing embeds, whatever served before', undefined, 1, undefined, undefined, [], false],
  ['nothing was embedded yet: the first one serves', 1, undefined, undefined, 1, [1], false],
  ['as it always was', 1, 1, undefined, 1, [1], false],
  ['another one is named, and nobody has begun', 2, 1, undefined, 1, [2, 1], true],
  ['the walk for it is under way', 2, 1, 2, 1, [2, 1], false],
  ['yet another one is named meanwhile', 3, 1, 2, 1, [3, 1], true],
  ['the old one is named again meanwhile', 1, 1, 2, 1, [1], true],
] as const)('%s', (_, base, kept, coming, serving, making, isDue) => {
  const found = appEmbedders(base && of(base), kept && of(kept), coming);
  expect(found.serving?.modelVersionKey).toBe(serving);
  expect(found.making.map(({ modelVersionKey }) => modelVersionKey)).toEqual(making);
  expect(found.isDue).toBe(isDue);
  expect(found.isKept).toBe(kept !== undefined);
});
