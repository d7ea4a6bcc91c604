import { expect, test } from 'vitest';
import type { Embedder } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { SearchParts } from './parts.ts';
import type { Rank, SearchTree } from './query.ts';
import { resolveTextRanks } from './text-ranks.ts';

const grant = { appKey: 1 } as AppGrant;
const vector = Float32Array.of(0.6, 0.8);

/** An app whose base embedder is `base`, and that holds vectors of the version `stored`. */
const app = (base: string | undefined, stored?: string) =>
  ({
    reads: {
      query: async (_: string, values: unknown[] = []) =>
        stored !== undefined && values.includes(stored)
          ? [{ modelVersionKey: 7, builtin: stored, headSha: null }]
          : [],
      run: async () => [],
    },
    embeddersOf: async () => ({
      serving: base === undefined ? undefined : { modelVersionKey: 5, builtin: base },
    }),
    // What reads texts is called so.
    embedText: async ({ builtin }: Embedder) => (builtin.includes('text') ? vector : undefined),
  }) as unknown as SearchParts;

const words = (modelVersionId = ''): Rank => ({
  kind: 'words',
  at: 0,
  negate: true,
  words: 'a red hat',
  modelVersionId,
});
const tree = (...ranks: Rank[]): SearchTree => ({
  filters: [],
  ranks,
  language: '',
  minValue: 0,
  exact: false,
  asOf: undefined,
});

test.each<[string, SearchParts, Rank, 'similar' | 'words']>([
  ['the app’s own embedder reads texts', app('text-image'), words(), 'similar'],
  ['the app’s own embedder reads pictures only', app('pictures'), words(), 'words'],
  ['the app makes no vectors', app(undefined), words(), 'words'],
  ['the named version reads texts', app('pictures', 'text-v1'), words('text-v1'), 'similar'],
])('%s', async (_, parts, rank, kind) => {
  const [found] = (await resolveTextRanks(parts, grant, tree(rank))).ranks;
  expect(found).toMatchObject({ kind, at: 0, negate: true });
  if (found?.kind === 'similar') expect(found.source).toEqual({ kind: 'vector', vector });
});

test('a named version that reads no texts is refused with the way out', async () => {
  await expect(
    resolveTextRanks(app('text-image', 'pictures-v1'), grant, tree(words('pictures-v1'))),
  ).rejects.toThrow(/fovea models pull/);
  await expect(resolveTextRanks(app('text-image'), grant, tree(words('nowhere')))).rejects.toThrow(/nowhere/);
});

test('a search without text is left alone', async () => {
  const asked = tree({ kind: 'concepts', at: 0, negate: false, concepts: [] });
  expect(await resolveTextRanks(app('text-image'), grant, asked)).toBe(asked);
});
