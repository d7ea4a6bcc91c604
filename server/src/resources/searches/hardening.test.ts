import { beforeAll, describe, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  await uploadPictures(alice, ['a', 'b'], { a: [{ id: 'cat', value: 1 }] });
});

const filter = (annotation: object, input?: object) => ({
  query: { filters: [{ annotation, ...(input ? { input } : {}) }] },
});
const data = (inner: object) => filter({ data: inner });
const nested = (levels: number): object => (levels === 0 ? { end: 1 } : { deeper: nested(levels - 1) });
const bomb = "x'; drop table inputs; --";

describe('what tries to get into the SQL', () => {
  test.each<[string, object]>([
    ['a key of metadata', data({ metadata: { [bomb]: 1, '"': { "'": [bomb] } } })],
    ['a name', data({ concepts: [{ name: bomb, value: 1 }] })],
    ['an id', data({ concepts: [{ id: bomb, value: 1 }] })],
    ['words', data({ text: { raw: `${bomb} & | ! :* <-> ( "` } })],
    ['wildcards', data({ concepts: [{ name: '%_\\*', value: 1 }] })],
    ['a task', filter({ taskId: bomb })],
    ['a dataset', filter({}, { datasetIds: [bomb] })],
    ['a url', filter({}, { data: { image: { url: bomb } } })],
    ['a cluster', data({ clusters: [{ id: bomb }] })],
    [
      'a language',
      {
        query: {
          language: bomb,
          filters: [{ annotation: { data: { concepts: [{ name: 'x', value: 1 }] } } }],
        },
      },
    ],
    ['metadata as deep as the contract lets it', data({ metadata: nested(20) })],
  ])('%s finds nothing and harms nothing', async (_, search) => {
    for (const ask of ['postInputsSearches', 'postAnnotationsSearches'] as const) {
      const reply = await alice.client[ask]({ searches: [search] });
      expect([reply.status?.code, reply.status?.details]).toEqual([10000, '']);
      expect(reply.hits).toEqual([]);
    }
    expect((await alice.client.postInputsSearches({ searches: [{ query: {} }] })).hits).toHaveLength(2);
  });
});

describe('what no text can hold', () => {
  test.each<[string, object]>([
    ['in a key of metadata', data({ metadata: { 'a\0b': 1 } })],
    ['in metadata', data({ metadata: { a: ['b\0'] } })],
    ['in a concept', data({ concepts: [{ id: 'c\0', value: 1 }] })],
    ['in a name', data({ concepts: [{ name: 'c\0', value: 1 }] })],
    ['in an id', filter({ id: '\0' })],
    ['in a task', filter({ taskId: '\0' })],
    ['in a dataset', filter({}, { datasetIds: ['\0'] })],
    ['in the id of an input to rank by', { query: { ranks: [{ annotation: { inputId: '\0' } }] } }],
    [
      'in a language',
      {
        query: {
          language: '\0',
          filters: [{ annotation: { data: { concepts: [{ name: 'x', value: 1 }] } } }],
        },
      },
    ],
  ])('NUL %s is refused', async (_, search) => {
    const reply = await alice.client.postInputsSearches({ searches: [search] });
    expect(reply.status?.code).toBe(11100);
  });

  test('half a sign over REST is refused', async () => {
    const body =
      '{"searches":[{"query":{"filters":[{"annotation":{"data":{"metadata":{"a":"\\ud800"}}}}]}}]}';
    const { http, json } = await alice.rest('POST', 'inputs/searches', body);
    expect([http, json.status.code]).toEqual([400, 11100]);
  });

  test.each([
    ['duplicates', { dataset_id: 'a\0' }],
    ['exports', { dataset_id: 'a\0', format: 'coco' }],
    ['imports', { upload_id: 'a\0', dataset_id: 'a' }],
    ['duplicates', { dataset_id: nested(1_000) }],
  ])('neither does a route beside the contract let it in: %s', async (route, body) => {
    const { http, json } = await alice.rest(
      'POST',
      `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/${route}`,
      body,
    );
    expect([http, json.status.code]).toEqual([400, 11100]);
  });

  test('a model behind the doors of others is not called by a NUL', async () => {
    const body = { model: `${alice.userId}/${alice.appId}/models/a\0`, input: 'x' };
    expect((await alice.rest('POST', '/v2/ext/openai/v1/embeddings', body)).http).toBe(400);
  });

  test('NUL in the id of a saved search is no server error', async () => {
    for (const reply of [
      await alice.client.getSearch({ id: 'a\0' }),
      await alice.client.postSearchesByID({ id: 'a\0' }),
      await alice.client.deleteSearch({ id: 'a\0' }),
      await alice.client.postInputsSearches({ searches: [{ id: 'a\0', save: true, query: {} }] }),
      await alice.client.getAnnotationSearchMetrics({ id: 'a\0' }),
    ])
      expect([40002, 11101, 11102, 11100]).toContain(reply.status?.code);
  });
});

describe('what is too much', () => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => ({ id: `c${i}`, value: 1 }));

  test('a wide query within the limits is answered', async () => {
    const filters = Array.from({ length: 90 }, (_, i) => ({
      annotation: { data: { concepts: [...many(20), { id: 'cat', value: (i % 9) / 10 + 0.1 }] } },
    }));
    const reply = await alice.client.postInputsSearches({ searches: [{ query: { filters } }] });
    expect(reply.status?.details).toBe('');
    expect(reply.hits.map(({ input }) => input?.id)).toEqual(['a']);
  });

  test.each<[string, object, string]>([
    ['concepts in a filter', data({ concepts: many(1001) }), 'at most 1000'],
    [
      'concepts in a rank',
      { query: { ranks: [{ annotation: { data: { concepts: many(1001) } } }] } },
      'at most 1000',
    ],
    ['filters', { query: { filters: Array.from({ length: 101 }, () => ({ negate: true })) } }, 'at most 100'],
    ['ranks', { query: { ranks: Array.from({ length: 21 }, () => ({})) } }, 'at most 20'],
    [
      'tracks',
      data({ regions: Array.from({ length: 2_001 }, (_, i) => ({ trackId: `t${i}` })) }),
      'at most 2000',
    ],
    ['a least value', { query: {}, minValue: Number.NaN }, 'min_value'],
    [
      'a distance',
      data({ geo: { geoPoint: {}, geoLimit: { type: 'withinMiles', value: Number.POSITIVE_INFINITY } } }),
      'geo_limit',
    ],
    [
      'a latitude',
      data({ geo: { geoBox: [{ geoPoint: { latitude: Number.NaN } }, { geoPoint: {} }] } }),
      'no place',
    ],
    [
      'a vector of another length',
      { query: { ranks: [{ annotation: { data: { embeddings: [{ vector: [1, 2] }] } } }] } },
      'has 2 numbers',
    ],
    [
      'a vector of NaN',
      { query: { ranks: [{ annotation: { data: { embeddings: [{ vector: [Number.NaN, 1] }] } } }] } },
      'NaN',
    ],
  ])('%s is refused in words', async (_, search, words) => {
    const reply = await alice.client.postInputsSearches({ searches: [search] });
    expect(reply.status?.code).toBe(40002);
    expect(reply.status?.details).toContain(words);
  });

  test('searches in one request', async () => {
    const reply = await alice.client.postInputsSearches({
      searches: Array.from({ length: 11 }, () => ({ query: {} })),
    });
    expect(reply.status?.code).not.toBe(10000);
    expect(reply.status?.details).toContain('searches');
  });

  test('many searches at once all come through, and one too many is told to come back', async () => {
    const replies = await Promise.all(
      Array.from({ length: 60 }, () =>
        alice.client.postInputsSearches({
          searches: [{ query: { ranks: [{ annotation: { inputId: 'a' } }] } }],
        }),
      ),
    );
    expect(new Set(replies.map(({ status }) => status?.code))).toEqual(new Set([10000]));
  });
});
