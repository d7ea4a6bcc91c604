import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';

/** Plain pictures: enough for filters; the vectors of a plain colour differ from those of another. */
const picture = (red: number, green: number, blue: number) =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: { r: red, g: green, b: blue } } })
    .jpeg()
    .toBuffer();

async function processed(person: Person, ids: readonly string[]) {
  for (let tries = 0; tries < 300; tries++) {
    const { inputs } = await person.client.listInputs({ ids: [...ids], perPage: 100 });
    if (inputs.length === ids.length && inputs.every((input) => input.status?.code === 30000)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the inputs were not processed in time');
}

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  await alice.client.postDatasets({ datasets: [{ id: 'train' }] });
  const reply = await alice.client.postInputs({
    inputs: [
      {
        id: 'red',
        datasetIds: ['train'],
        data: {
          image: { base64: await picture(220, 20, 20) },
          concepts: [
            { id: 'warm', name: 'Warm', value: 1 },
            { id: 'cold', value: 0 },
          ],
          metadata: { shop: 'a', nested: { size: 'L', tags: [1, 2] } },
          geo: { geoPoint: { longitude: -30, latitude: 40 } },
        },
      },
      {
        id: 'blue',
        data: {
          image: { base64: await picture(20, 20, 220) },
          concepts: [{ id: 'cold', value: 1 }],
          metadata: { shop: 'b' },
        },
      },
      { id: 'green', data: { image: { base64: await picture(20, 200, 20) } } },
      { id: 'words', data: { text: { raw: 'hello there' } } },
    ],
  });
  expect(reply.inputs.map((input) => input.status?.details)).toEqual(['', '', '', '']);
  await processed(alice, ['red', 'blue', 'green', 'words']);
}, 120_000);

type Query = NonNullable<Parameters<Person['client']['postInputsSearches']>[0]['searches']>[number]['query'];

const find = async (query: Query, rest: object = {}) => {
  const reply = await alice.client.postInputsSearches({ searches: [{ query, ...rest }] });
  return { reply, ids: reply.hits.map((hit) => hit.input?.id), scores: reply.hits.map((hit) => hit.score) };
};

test.each<[string, Query, string[]]>([
  ['nothing asked finds everything, in order', {}, ['red', 'blue', 'green', 'words']],
  [
    'empty sub-messages constrain nothing',
    { filters: [{ annotation: {}, input: {} }], ranks: [{ annotation: {} }] },
    ['red', 'blue', 'green', 'words'],
  ],
  [
    'a concept by id',
    { filters: [{ annotation: { data: { concepts: [{ id: 'warm', value: 1 }] } } }] },
    ['red'],
  ],
  [
    'a concept by name',
    { filters: [{ annotation: { data: { concepts: [{ name: 'Warm', value: 1 }] } } }] },
    ['red'],
  ],
  [
    'a concept labelled absent',
    { filters: [{ annotation: { data: { concepts: [{ id: 'cold', value: 0 }] } } }] },
    ['red'],
  ],
  [
    'concepts in one filter are ORed',
    {
      filters: [
        {
          annotation: {
            data: {
              concepts: [
                { id: 'warm', value: 1 },
                { id: 'cold', value: 1 },
              ],
            },
          },
        },
      ],
    },
    ['red', 'blue'],
  ],
  [
    'filters are ANDed',
    {
      filters: [
        { annotation: { data: { concepts: [{ id: 'warm', value: 1 }] } } },
        { annotation: { data: { concepts: [{ id: 'cold', value: 1 }] } } },
      ],
    },
    [],
  ],
  [
    'negation',
    { filters: [{ negate: true, annotation: { data: { concepts: [{ id: 'warm', value: 1 }] } } }] },
    ['blue', 'green', 'words'],
  ],
  [
    'an unknown concept',
    { filters: [{ annotation: { data: { concepts: [{ id: 'yeti', value: 1 }] } } }] },
    [],
  ],
  [
    'metadata, nested',
    { filters: [{ annotation: { data: { metadata: { nested: { tags: [2] } } } } }] },
    ['red'],
  ],
  [
    'metadata keys are ORed',
    { filters: [{ annotation: { data: { metadata: { shop: 'b', nested: { size: 'L' } } } } }] },
    ['red', 'blue'],
  ],
  [
    'geo within 100 km',
    {
      filters: [
        {
          annotation: {
            data: {
              geo: {
                geoPoint: { longitude: -29, latitude: 40 },
                geoLimit: { type: 'withinKilometers', value: 100 },
              },
            },
          },
        },
      ],
    },
    ['red'],
  ],
  [
    'geo within 50 km',
    {
      filters: [
        {
          annotation: {
            data: {
              geo: {
                geoPoint: { longitude: -29, latitude: 40 },
                geoLimit: { type: 'withinKilometers', value: 50 },
              },
            },
          },
        },
      ],
    },
    [],
  ],
  [
    'a geo box',
    {
      filters: [
        {
          annotation: {
            data: {
              geo: {
                geoBox: [
                  { geoPoint: { longitude: -31, latitude: 41 } },
                  { geoPoint: { longitude: -29, latitude: 39 } },
                ],
              },
            },
          },
        },
      ],
    },
    ['red'],
  ],
  ['a kind of medium', { filters: [{ input: { data: { text: {} } } }] }, ['words']],
  [
    'media and status are ORed',
    { filters: [{ input: { data: { text: {}, audio: {}, video: {} }, status: { code: 30000 } } }] },
    ['red', 'blue', 'green', 'words'],
  ],
  ['media alone', { filters: [{ input: { data: { audio: {}, video: {} } } }] }, []],
  ['a dataset', { filters: [{ input: { datasetIds: ['train', 'other'] } }] }, ['red']],
])('%s', async (_, query, ids) => {
  expect((await find(query)).ids).toEqual(ids);
});

test('the same picture comes first, with a score of one', async () => {
  const { ids, scores, reply } = await find({
    ranks: [{ annotation: { data: { image: { base64: await picture(220, 20, 20) } } } }],
  });
  expect(reply.status?.details).toBe('');
  expect(ids[0]).toBe('red');
  expect(scores[0]).toBeGreaterThan(0.999);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect([...ids].sort()).toEqual(['blue', 'green', 'red']);
});

test('a picture that came as bytes is found by the URL that it is shown under, and so are its likes', async () => {
  const { input } = await alice.client.getInput({ inputId: 'red' });
  const image = { url: input?.data?.image?.url ?? '' };
  const { ids, scores, reply } = await find({ ranks: [{ annotation: { data: { image } } }] });
  expect([reply.status?.details, ids[0]]).toEqual(['', 'red']);
  expect(scores[0]).toBeGreaterThan(0.999);
  expect((await find({ filters: [{ input: { data: { image } } }] })).ids).toEqual(['red']);
  const legacy = await alice.client.postSearches({ query: { ands: [{ annotation: { data: { image } } }] } });
  expect(legacy.hits.map((hit) => hit.input?.id)).toEqual(['red']);
  // What is hosted for others is no way to their pictures.
  const eve = await signedIn('eve', { workflow: 'General' });
  const theirs = { searches: [{ query: { ranks: [{ annotation: { data: { image } } }] } }] };
  expect((await eve.client.postInputsSearches(theirs)).status?.code).toBe(40002);
});

test('negating a rank turns the order round', async () => {
  const { ids, scores } = await find({ ranks: [{ negate: true, annotation: { inputId: 'red' } }] });
  expect(ids.at(-1)).toBe('red');
  expect(scores.at(-1)).toBeLessThan(0.001);
});

test('a filter runs before the rank, and min_value cuts', async () => {
  const ranks = [{ annotation: { inputId: 'red' } }];
  const filtered = await find({
    ranks,
    filters: [{ annotation: { data: { concepts: [{ id: 'cold', value: 1 }] } } }],
  });
  expect(filtered.ids).toEqual(['blue']);
  expect((await find({ ranks }, { minValue: 0.999 })).ids).toEqual(['red']);
});

test('a concept ranks by what was said of it', async () => {
  const { ids, scores } = await find({
    ranks: [{ annotation: { data: { concepts: [{ id: 'cold', value: 1 }] } } }],
  });
  expect(ids[0]).toBe('blue');
  expect(scores[0]).toBe(1);
});

test('pages follow each other, end empty, and stop at the window', async () => {
  const page = async (number: number, perPage: number) =>
    alice.client.postInputsSearches({
      searches: [{ query: { ranks: [{ annotation: { inputId: 'red' } }] } }],
      pagination: { page: number, perPage },
    });
  const ids = [];
  for (const number of [1, 2, 3, 4]) ids.push(...(await page(number, 1)).hits.map((hit) => hit.input?.id));
  expect([...ids].sort()).toEqual(['blue', 'green', 'red']);
  const beyond = await page(11, 1000);
  expect(beyond.status).toMatchObject({ code: 40002 });
  expect(beyond.status?.details).toContain('page * perPage cannot exceed');
});

test('only the count is told when only that is asked', async () => {
  const reply = await alice.client.postInputsSearches({
    searches: [{ query: { filters: [{ input: { data: { image: {} } } }] } }],
    onlyCount: true,
  });
  expect(reply.hits).toEqual([]);
  expect(reply.hitCounts.map((count) => count.estimatedTotal)).toEqual([3n]);
});

test('an input that is not indexed cannot be searched by', async () => {
  const { reply } = await find({ ranks: [{ annotation: { inputId: 'words' } }] });
  expect(reply.status?.code).toBe(43004);
});

test.each([
  ['too few numbers', [1, 2, 3]],
  ['NaN', [Number.NaN]],
])('a vector with %s is refused in words', async (_, vector) => {
  const { reply } = await find({ ranks: [{ annotation: { data: { embeddings: [{ vector }] } } }] });
  expect(reply.status).toMatchObject({ code: 40002 });
  expect(reply.status?.details).toContain('vector');
});

test('a saved search is kept, not run, and run by its id', async () => {
  const query = { filters: [{ annotation: { data: { concepts: [{ id: 'warm', value: 1 }] } } }] };
  const saved = await alice.client.postInputsSearches({ searches: [{ id: 'warm-ones', save: true, query }] });
  expect(saved.hits).toEqual([]);
  expect(
    (await alice.client.postInputsSearches({ searches: [{ id: 'warm-ones', save: true, query }] })).status
      ?.code,
  ).toBe(40010);
  expect((await alice.client.getSearch({ id: 'warm-ones' })).search).toMatchObject({
    id: 'warm-ones',
    applicationId: alice.appId,
  });
  const run = async () =>
    (await alice.client.postSearchesByID({ id: 'warm-ones' })).hits.map((hit) => hit.input?.id);
  expect(await run()).toEqual(['red']);
  const cold = { filters: [{ annotation: { data: { concepts: [{ id: 'cold', value: 1 }] } } }] };
  await alice.client.patchInputsSearches({
    action: 'overwrite',
    searches: [{ id: 'warm-ones', query: cold }],
  });
  expect(await run()).toEqual(['blue']);
  expect((await alice.client.listSearches({})).searches.map((search) => search.id)).toEqual(['warm-ones']);
  expect((await alice.client.deleteSearch({ id: 'warm-ones' })).status?.code).toBe(10000);
  expect((await alice.client.getSearch({ id: 'warm-ones' })).status?.code).toBe(11101);
});

test('annotations are found one by one', async () => {
  const boxed = await alice.client.postAnnotations({
    annotations: [
      {
        inputId: 'green',
        data: {
          regions: [
            {
              regionInfo: { boundingBox: { topRow: 0.1, leftCol: 0.1, bottomRow: 0.9, rightCol: 0.9 } },
              data: { concepts: [{ id: 'leaf', value: 1 }] },
            },
          ],
        },
      },
    ],
  });
  expect(boxed.annotations[0]?.status?.code).toBe(24150);
  const box = { data: { regions: [{ regionInfo: { boundingBox: {} } }] } };
  const reply = await alice.client.postAnnotationsSearches({
    searches: [{ query: { filters: [{ annotation: box }] } }],
  });
  expect(reply.hits.map((hit) => [hit.input?.id, hit.annotation?.id])).toEqual([
    ['green', boxed.annotations[0]?.id],
  ]);
  const both = await alice.client.postAnnotationsSearches({
    searches: [
      {
        query: {
          filters: [{ annotation: box }, { annotation: { data: { concepts: [{ id: 'warm', value: 1 }] } } }],
        },
      },
    ],
  });
  expect(both.hits).toEqual([]);
});

test('the deprecated form filters by input and ranks by output', async () => {
  const reply = await alice.client.postSearches({
    query: {
      ands: [
        { input: { data: { concepts: [{ id: 'cold', value: 1 }] } } },
        { output: { input: { id: 'red' } } },
      ],
    },
  });
  expect(reply.hits.map((hit) => hit.input?.id)).toEqual(['blue']);
});

test('a deleted input is gone from results at once', async () => {
  const bob = await signedIn('bob', { workflow: 'General' });
  await bob.client.postInputs({
    inputs: [
      { id: 'one', data: { image: { base64: await picture(9, 9, 9) } } },
      { id: 'two', data: { image: { base64: await picture(99, 9, 9) } } },
    ],
  });
  await processed(bob, ['one', 'two']);
  const search = async () =>
    (
      await bob.client.postInputsSearches({
        searches: [{ query: { ranks: [{ annotation: { inputId: 'two' } }] } }],
      })
    ).hits.map((hit) => hit.input?.id);
  expect((await search()).sort()).toEqual(['one', 'two']);
  await bob.client.deleteInputs({ ids: ['one'] });
  expect(await search()).toEqual(['two']);
});

test('annotations without metadata meet the opposite of a metadata filter', async () => {
  const carol = await signedIn('carol');
  await carol.client.postInputs({
    inputs: [
      { id: 'plain', data: { image: { base64: await picture(1, 2, 3) } } },
      {
        id: 'marked',
        data: {
          image: { base64: await picture(3, 2, 1) },
          metadata: { shop: 'a' },
          geo: { geoPoint: { longitude: 1, latitude: 1 } },
        },
      },
    ],
  });
  const hits = async (data: object) => {
    const reply = await carol.client.postAnnotationsSearches({
      searches: [{ query: { filters: [{ negate: true, annotation: { data } }] } }],
    });
    return reply.hits.map((hit) => hit.input?.id);
  };
  expect(await hits({ metadata: { shop: 'a' } })).toEqual(['plain']);
  expect(
    await hits({
      geo: { geoPoint: { longitude: 1, latitude: 1 }, geoLimit: { type: 'withinMiles', value: 5 } },
    }),
  ).toEqual(['plain']);
});

test('nothing is saved by a request that fails', async () => {
  const bad = { filters: [{ annotation: { data: { concepts: [{ id: 'a', value: 9 }] } } }] };
  const reply = await alice.client.postInputsSearches({
    searches: [{ id: 'half', save: true, query: {} }, { query: bad }],
  });
  expect(reply.status?.code).toBe(40002);
  expect((await alice.client.getSearch({ id: 'half' })).status?.code).toBe(11101);
});

test('a search by a picture does not send the picture back', async () => {
  const { reply } = await find({
    ranks: [{ annotation: { data: { image: { base64: await picture(220, 20, 20) } } } }],
  });
  expect(reply.hits[0]?.input?.id).toBe('red');
  expect(reply.searches[0]?.query?.ranks[0]?.annotation?.data?.image?.base64.length).toBe(0);
});

test('saved searches of all three kinds are patched', async () => {
  const bob = await signedIn('bob');
  const query = { filters: [{ annotation: { data: { concepts: [{ id: 'a', value: 1 }] } } }] };
  await bob.client.postAnnotationsSearches({ searches: [{ id: 'by-annotation', save: true, query }] });
  await bob.client.postSearches({ searches: [{ id: 'the-old-way', save: true, query }] });
  const named = await bob.client.patchAnnotationsSearches({
    action: 'overwrite',
    searches: [{ id: 'by-annotation', name: 'Ours' }],
  });
  expect(named.searches[0]).toMatchObject({ id: 'by-annotation', name: 'Ours' });
  const old = await bob.client.patchSearches({
    action: 'overwrite',
    searches: [{ id: 'the-old-way', name: 'Old' }],
  });
  expect(old.searches[0]?.query?.filters).toHaveLength(1);
  expect(
    (await bob.client.patchSearches({ action: 'remove', searches: [{ id: 'the-old-way' }] })).status?.code,
  ).toBe(11102);
  expect((await bob.client.patchSearches({ searches: [{ id: 'never' }] })).status?.code).toBe(11101);
});
