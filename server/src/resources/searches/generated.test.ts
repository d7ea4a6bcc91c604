import { setTimeout as sleep } from 'node:timers/promises';
import { timestampFromDate } from '@fovea/contract';
import { afterAll, expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { Chance } from './chance.testing.ts';
import { cosineOf, type Kind, type NaiveHit, naiveSearches, type World, worldAsOf } from './naive.testing.ts';
import { RandomApp } from './random-app.testing.ts';
import { RandomSearches, searchOf } from './random-searches.testing.ts';

/**
 * Random searches over random small apps, each answered by the server and by a naive evaluator over plain arrays:
 * the same hits, scores and order. FOVEA_SEARCH_SEED repeats a run; FOVEA_SEARCH_APPS and FOVEA_SEARCH_QUERIES make
 * it longer.
 */
const seed = Number(process.env.FOVEA_SEARCH_SEED ?? Date.now() % 1_000_000_000);
const apps = Number(process.env.FOVEA_SEARCH_APPS ?? 4);
const queries = Number(process.env.FOVEA_SEARCH_QUERIES ?? 600);

/** Half a picture's worth of single precision. */
const tolerance = 2e-5;

let compared = 0;
let withHits = 0;
afterAll(() => console.log(`seed ${seed}: ${compared} searches compared, ${withHits} of them with hits`));

test.each(Array.from({ length: apps }, (_, i) => [seed + i] as const))(
  'an app of seed %d answers as a naive evaluator does',
  async (ownSeed) => {
    const chance = new Chance(ownSeed);
    const person = await signedIn('chance');
    const app = new RandomApp(person, chance);
    const searches = new RandomSearches(app, chance);
    await app.fill(14 + chance.below(12));
    const earlier: { at: Date; world: World }[] = [];
    /** Asked again after changes: what is remembered of a filter must not outlive them. */
    const askedBefore: ReturnType<typeof searches.query>[] = [];
    for (let round = 0; round < 3; round++) {
      if (round > 0) {
        await sleep(20);
        await app.change();
      }
      const today = await app.world();
      await sleep(20);
      earlier.push({ at: new Date(), world: today });
      for (let n = 0; n < queries / 3; n++) {
        const kind: Kind = chance.is(0.6) ? 'input' : 'annotation';
        const past = round > 0 && chance.is(0.2) ? earlier[chance.below(round)] : undefined;
        const world = past ? worldAsOf(past.world, today) : today;
        const asOf = past ? { asOf: timestampFromDate(past.at) } : {};
        const asked = Array.from({ length: chance.is(0.1) ? 2 : 1 }, () => {
          const query = round > 0 && chance.is(0.25) ? chance.one(askedBefore) : searches.query();
          if (round === 0) askedBefore.push(query);
          return { ...query, ...asOf };
        });
        const page = { page: chance.is(0.8) ? 1 : 2, perPage: chance.one([1, 3, 10, 128]) };
        const request = { searches: asked, pagination: page };
        const reply =
          kind === 'input'
            ? await person.client.postInputsSearches(request)
            : await person.client.postAnnotationsSearches(request);
        const about = `seed ${ownSeed}, round ${round}, query ${n} (${kind}): ${JSON.stringify(request, shortened)}`;
        if (cannotBeAsked(reply.status)) continue;
        expect(reply.status?.code, `${about}\n${reply.status?.details}`).toBe(10000);
        const read = asked.map(searchOf);
        const all = naiveSearches(world, kind, read);
        const hits = reply.hits.map(({ input, annotation, score }) => ({
          id: kind === 'input' ? (input?.id ?? '') : `${annotation?.inputId}/${annotation?.id}`,
          score,
        }));
        if (isOnEdge(world, kind, read)) continue;
        compare(all, hits, page, about, read.length === 1 && read.every(hasOneDirection));
        compared += 1;
        if (hits.length > 0) withHits += 1;
        if (kind === 'input' && chance.is(0.2)) {
          const counted = await person.client.postInputsSearches({ searches: asked, onlyCount: true });
          expect(
            counted.hitCounts.map(({ estimatedTotal }) => Number(estimatedTotal)),
            about,
          ).toEqual(read.map((search) => naiveSearches(world, kind, [search]).length));
        }
      }
    }
  },
  600_000,
);

/**
 * Of several directions, two hits may be as near in other ways, and of several searches one may score 1 by name and
 * another by a cosine: such hits are equal on paper alone.
 */
const hasOneDirection = ({ query, algorithm }: ReturnType<typeof searchOf>): boolean =>
  algorithm !== 'avg_concept_brute_force' &&
  (query?.ranks ?? []).filter(({ annotation }) => annotation?.inputId || annotation?.data?.embeddings.length)
    .length < 2;

const shortened = (key: string, value: unknown) =>
  key === 'vector'
    ? `${(value as number[]).length} numbers`
    : typeof value === 'bigint'
      ? String(value)
      : value;

/** Ranks that cancel each other out, pictures that are gone or text that has no words leave nothing to compare. */
const cannotBeAsked = (status: { code: number; details: string } | undefined): boolean =>
  status?.code === 43004 || (status?.code === 40002 && /cancel|holds none/.test(status.details));

/** A hit so near to min_value that rounding decides. */
const isOnEdge = (world: World, kind: Kind, searches: ReturnType<typeof searchOf>[]): boolean =>
  searches.some(
    (search) =>
      search.minValue > 0 &&
      naiveSearches(world, kind, [
        searchOf({ query: search.query, algorithm: search.algorithm } as never),
      ]).some(
        ({ score }) =>
          Math.abs(score - search.minValue) < tolerance && Math.abs(score - search.minValue) > 1e-9,
      ),
  );

function compare(
  all: readonly NaiveHit[],
  hits: readonly NaiveHit[],
  { page, perPage }: { page: number; perPage: number },
  about: string,
  isStrict: boolean,
): void {
  const wanted = all.slice((page - 1) * perPage, page * perPage);
  const scores = new Map(all.map(({ id, score }) => [id, score]));
  const told = `${about}\nwanted ${JSON.stringify(wanted)}\nfound  ${JSON.stringify(hits)}`;
  expect(hits.length, told).toBe(wanted.length);
  expect(new Set(hits.map(({ id }) => id)).size, told).toBe(hits.length);
  for (const [i, hit] of hits.entries()) {
    const own = scores.get(hit.id);
    const there = wanted[i] as NaiveHit;
    expect(own, `${hit.id} is no hit\n${told}`).toBeDefined();
    expect(Math.abs(hit.score - (own as number)), told).toBeLessThan(tolerance);
    // Scores that differ in the last digits only may change places; equal ones may not.
    const difference = Math.abs((own as number) - there.score);
    if (hit.id !== there.id && (difference > tolerance || (isStrict && difference === 0)))
      expect(hit.id, told).toBe(there.id);
  }
}

test('the naive evaluator knows what a cosine is', () => {
  expect(cosineOf(Float32Array.of(1, 0), Float32Array.of(0, 2))).toBe(0);
  expect(cosineOf(Float32Array.of(1, 1), Float32Array.of(2, 2))).toBeCloseTo(1, 6);
});
