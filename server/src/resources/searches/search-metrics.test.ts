import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;

const half = { topRow: 0, leftCol: 0, bottomRow: 1, rightCol: 0.5 };
const other = { topRow: 0, leftCol: 0.5, bottomRow: 1, rightCol: 1 };
const byTask = (taskId: string) => ({ query: { filters: [{ annotation: { taskId } }] } });

/** Truth: cat, cat, dog. The judged one says cat, dog, dog. */
beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(alice, ['a', 'b', 'c', 'd']);
  const say = (inputId: string, taskId: string, id: string, boundingBox = half) => ({
    inputId,
    taskId,
    data: { regions: [{ regionInfo: { boundingBox }, data: { concepts: [{ id, value: 1 }] } }] },
  });
  const reply = await alice.client.postAnnotations({
    annotations: [
      say('a', 'truth', 'cat'),
      say('b', 'truth', 'cat'),
      say('c', 'truth', 'dog'),
      say('a', 'judged', 'cat'),
      say('b', 'judged', 'dog'),
      say('c', 'judged', 'dog', other),
      say('d', 'judged', 'dog'),
    ],
  });
  expect(reply.annotations.map(({ status }) => status?.code)).toEqual(Array(7).fill(24150));
});

async function compared(id: string) {
  for (let tries = 0; tries < 300; tries++) {
    const reply = await alice.client.getAnnotationSearchMetrics({ id });
    const [found] = reply.annotationSearchMetrics;
    if (found?.metrics?.status?.code !== 21303) return found;
    await sleep(50);
  }
  throw new Error('the searches were not compared in time');
}

test('one search is judged by another: labels of the inputs that the ground truth finds', async () => {
  const posted = await alice.client.postAnnotationSearchMetrics({
    id: 'labels',
    groundTruth: byTask('truth'),
    searchToEval: byTask('judged'),
    evaluationType: 1,
  });
  expect(posted.status?.details).toBe('');
  expect(posted.annotationSearchMetrics[0]?.metrics?.status?.code).toBe(21303);
  const found = await compared('labels');
  expect(found?.metrics?.status?.code).toBe(21300);
  expect(found).toMatchObject({ activeConceptCount: 2, visibility: { gettable: 10 } });
  expect(found?.groundTruth?.query?.filters[0]?.annotation?.taskId).toBe('truth');
  const byConcept = new Map(found?.metrics?.binaryMetrics.map((one) => [one.concept?.id, one]));
  // Cat: two are, one of them was seen. Dog: one is, it was seen, and another that is none.
  expect(byConcept.get('cat')).toMatchObject({ numPos: 2, numNeg: 1, numTot: 3 });
  expect(byConcept.get('cat')?.f1).toBeCloseTo(2 / 3, 5);
  expect(byConcept.get('dog')).toMatchObject({ numPos: 1, numNeg: 2, numTot: 3 });
  expect(byConcept.get('dog')?.f1).toBeCloseTo(2 / 3, 5);
  expect(found?.metrics?.summary?.macroAvgF1Score).toBeCloseTo(2 / 3, 5);
  expect(found?.metrics?.testSet.map(({ input }) => input?.id)).toEqual(['a', 'b', 'c']);
});

test('boxes are compared as COCO does, for the concepts that were named', async () => {
  await alice.client.postAnnotationSearchMetrics({
    id: 'boxes',
    groundTruth: byTask('truth'),
    searchToEval: byTask('judged'),
    evaluationType: 2,
    data: { concepts: [{ id: 'cat', value: 1 }] },
  });
  const found = await compared('boxes');
  expect(found?.metrics?.status?.code).toBe(21300);
  expect(found?.activeConceptCount).toBe(1);
  // One of two cats was found: precision is 1 up to a recall of a half, 51 of the 101 points.
  expect(found?.metrics?.summary?.meanAvgPrecisionIou50).toBeCloseTo(51 / 101, 5);
  expect(found?.metrics?.metricsByClass[0]).toMatchObject({ numPos: 2, concept: { id: 'cat' } });
});

test('a saved search may be named, and nothing to compare with is told', async () => {
  await alice.client.postAnnotationsSearches({
    searches: [{ id: 'nobody', save: true, ...byTask('nobody') }],
  });
  await alice.client.postAnnotationSearchMetrics({
    id: 'empty',
    groundTruth: { id: 'nobody' },
    searchToEval: byTask('judged'),
  });
  const found = await compared('empty');
  expect(found?.metrics?.status).toMatchObject({ details: expect.stringContaining('nothing to compare') });
  expect(found?.groundTruth?.id).toBe('nobody');
});

test.each<[string, object, string]>([
  ['without a ground truth', { searchToEval: byTask('judged') }, 'ground_truth is missing'],
  [
    'with a rank',
    {
      groundTruth: byTask('truth'),
      searchToEval: { query: { ranks: [{ annotation: { inputId: 'a' } }] } },
    },
    'search_to_eval ranks',
  ],
  [
    'of a kind that searches do not say',
    { groundTruth: byTask('truth'), searchToEval: byTask('judged'), evaluationType: 5 },
    'evaluation_type is 5',
  ],
  ['under a saved search that is not there', { groundTruth: { id: 'no' } }, "no saved search 'no'"],
  [
    'under an id that is taken',
    { id: 'labels', groundTruth: byTask('truth'), searchToEval: byTask('judged') },
    'duplicate',
  ],
])('a comparison %s is refused', async (_, request, words) => {
  const reply = await alice.client.postAnnotationSearchMetrics(request);
  expect(reply.status?.code).not.toBe(10000);
  expect(reply.status?.details).toContain(words);
});

test('comparisons are listed, deleted, and nobody else’s', async () => {
  const list = async (person: Person) =>
    (await person.client.listAnnotationSearchMetrics({})).annotationSearchMetrics.map(
      ({ metrics }) => metrics?.id,
    );
  expect(await list(alice)).toEqual(['empty', 'boxes', 'labels']);
  const bob = await signedIn('bob');
  expect(await list(bob)).toEqual([]);
  expect((await bob.client.getAnnotationSearchMetrics({ id: 'labels' })).status?.code).toBe(11101);
  expect((await bob.client.deleteAnnotationSearchMetrics({ id: 'labels' })).status?.code).toBe(11101);
  expect((await alice.client.deleteAnnotationSearchMetrics({ id: 'labels' })).status?.code).toBe(10000);
  expect(await list(alice)).toEqual(['empty', 'boxes']);
});
