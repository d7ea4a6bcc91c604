import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';

test('concepts come back in the order they were made, with name and language filled in', async () => {
  const alice = await signedIn('alice');
  const made = await alice.client.postConcepts({ concepts: [{ id: 'cat', name: 'Cat' }, { id: 'dog' }] });
  expect(made.status).toMatchObject({ code: 10000, description: 'Ok' });
  expect(made.concepts.map((c) => [c.id, c.name, c.language, c.appId, c.userId])).toEqual([
    ['cat', 'Cat', 'en', alice.appId, alice.userId],
    ['dog', 'dog', 'en', alice.appId, alice.userId],
  ]);
  expect((await alice.client.getConcept({ conceptId: 'dog' })).concept?.name).toBe('dog');
});

test('an id that exists refuses the whole batch and says duplicate', async () => {
  const alice = await signedIn('alice');
  await alice.client.postConcepts({ concepts: [{ id: 'cat' }] });
  const reply = await alice.client.postConcepts({ concepts: [{ id: 'bird' }, { id: 'cat' }] });
  expect(reply.status?.code).toBe(40003);
  expect(reply.status?.details).toContain('duplicate');
  expect((await alice.client.listConcepts({})).concepts.map((c) => c.id)).toEqual(['cat']);
});

test('pages follow each other without gaps and end with an empty one', async () => {
  const alice = await signedIn('alice');
  await alice.client.postConcepts({ concepts: Array.from({ length: 7 }, (_, i) => ({ id: `c${i}` })) });
  const pages = [];
  for (const page of [1, 2, 3, 4]) {
    pages.push((await alice.client.listConcepts({ page, perPage: 3 })).concepts.map((c) => c.id));
  }
  expect(pages).toEqual([['c0', 'c1', 'c2'], ['c3', 'c4', 'c5'], ['c6'], []]);
});

test('the id filter of the list finds parts, whatever the case', async () => {
  const alice = await signedIn('alice');
  await alice.client.postConcepts({
    concepts: [{ id: 'blackbird' }, { id: 'Birdhouse' }, { id: '100%'.replace('%', '_') }],
  });
  expect((await alice.client.listConcepts({ id: 'bird' })).concepts.map((c) => c.id)).toEqual([
    'blackbird',
    'Birdhouse',
  ]);
});

test('a patch overwrites what it names and keeps the rest', async () => {
  const alice = await signedIn('alice');
  await alice.client.postConcepts({ concepts: [{ id: 'cat', name: 'Cat', definition: 'purrs' }] });
  const reply = await alice.client.patchConcepts({
    action: 'overwrite',
    concepts: [{ id: 'cat', name: 'Katze' }],
  });
  expect(reply.concepts[0]).toMatchObject({ id: 'cat', name: 'Katze', definition: 'purrs' });
  const missing = await alice.client.patchConcepts({
    action: 'overwrite',
    concepts: [{ id: 'yeti', name: 'x' }],
  });
  expect(missing.status?.code).toBe(11101);
  const unknown = await alice.client.patchConcepts({ action: 'merge', concepts: [{ id: 'cat' }] });
  expect(unknown.status?.details).toContain("Unrecognized action 'merge'");
});

test('a concept has names in other languages', async () => {
  const alice = await signedIn('alice');
  await alice.client.postConcepts({ concepts: [{ id: 'cat' }] });
  await alice.client.postConceptLanguages({
    conceptId: 'cat',
    conceptLanguages: [{ id: 'de', name: 'Katze' }],
  });
  await alice.client.patchConceptLanguages({
    conceptId: 'cat',
    action: 'overwrite',
    conceptLanguages: [{ id: 'de', definition: 'schnurrt' }],
  });
  const one = await alice.client.getConceptLanguage({ conceptId: 'cat', language: 'de' });
  expect(one.conceptLanguage).toMatchObject({ id: 'de', name: 'Katze', definition: 'schnurrt' });
  expect((await alice.client.listConceptLanguages({ conceptId: 'cat' })).conceptLanguages).toHaveLength(1);
  expect((await alice.client.getConceptLanguage({ conceptId: 'cat', language: 'fr' })).status?.code).toBe(
    11101,
  );
});

test('over REST the value of a concept is shown even when it is zero', async () => {
  const alice = await signedIn('alice');
  await alice.rest('POST', 'concepts', { concepts: [{ id: 'cat' }] });
  const { http, json } = await alice.rest('GET', 'concepts/cat');
  expect(http).toBe(200);
  expect(json.concept).toMatchObject({
    id: 'cat',
    value: 0,
    app_id: alice.appId,
    visibility: { gettable: 10 },
  });
});

test('a language named twice in one request is refused in words', async () => {
  const alice = await signedIn('alice');
  await alice.client.postConcepts({ concepts: [{ id: 'cat' }] });
  const conceptLanguages = [
    { id: 'de', name: 'Katze' },
    { id: 'de', name: 'Kater' },
  ];
  const reply = await alice.client.patchConceptLanguages({
    conceptId: 'cat',
    conceptLanguages,
    action: 'overwrite',
  });
  expect(reply.status?.code).toBe(40003);
  expect(reply.status?.details).toContain("'de'");
});
