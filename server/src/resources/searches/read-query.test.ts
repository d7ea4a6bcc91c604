import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type FilterSchema, QuerySchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { annotationKind } from '#domain/annotation-kinds.ts';
import type { Filter } from './query.ts';
import { readQuery } from './read-query.ts';

type WireFilter = MessageInitShape<typeof FilterSchema>;
const read = (filter: WireFilter) => readQuery(create(QuerySchema, { filters: [filter] })).filters[0];

test.each<[string, WireFilter, Partial<Filter> | undefined]>([
  ['empty messages constrain nothing', { annotation: {}, input: {} }, undefined],
  [
    'data: {} means no space-time info',
    { annotation: { data: {} } },
    { annotation: { wholeInputOnly: true } },
  ],
  [
    'a region of no kind is not `data: {}`',
    { annotation: { data: { regions: [{ regionInfo: {} }] } } },
    undefined,
  ],
  ['a video marker is not `data: {}`', { annotation: { data: { video: {} } } }, undefined],
  ['empty metadata constrain nothing', { annotation: { data: { metadata: {} } } }, undefined],
  [
    'an empty box asks for boxes',
    { annotation: { data: { regions: [{ regionInfo: { boundingBox: {} } }] } } },
    { annotation: { regionKinds: annotationKind.box } },
  ],
  [
    'several boxes and masks ask for either',
    {
      annotation: { data: { regions: [{ regionInfo: { boundingBox: {} } }, { regionInfo: { mask: {} } }] } },
    },
    { annotation: { regionKinds: annotationKind.box | annotationKind.mask } },
  ],
  [
    'frames, segments, tracks and texts ask for all of them',
    { annotation: { data: { frames: [{ frameInfo: {} }], timeSegments: [{}], tracks: [{}], text: {} } } },
    {
      annotation: {
        kinds: annotationKind.frame | annotationKind.timeSegment | annotationKind.track | annotationKind.text,
      },
    },
  ],
  [
    'clusters and tracks by id',
    { annotation: { data: { clusters: [{ id: 'c' }], regions: [{ trackId: 't' }] } } },
    { annotation: { clusterIds: ['c'], trackIds: ['t'] } },
  ],
  [
    'labels of an input mean what is trusted',
    { input: { data: { concepts: [{ id: 'a', value: 1 }] } } },
    { annotation: { concepts: [{ id: 'a', name: '', value: 1 }], trustedOnly: true } },
  ],
  ['words', { annotation: { data: { text: { raw: 'red car' } } } }, { annotation: { words: 'red car' } }],
  ...(
    [
      ['across the antimeridian, as the numbers say', 170, 190, 170, -170],
      ['across it the other way', -190, -170, 170, -170],
      ['across it, the first corner in the west', 170, -170, 170, -170],
      ['not across it, the first corner in the west', -170, 170, -170, 170],
      ['all around', -180, 180, -180, 180],
    ] as const
  ).map(([words, first, second, west, east]): [string, WireFilter, Partial<Filter>] => [
    `a box ${words}`,
    {
      annotation: {
        data: {
          geo: {
            geoBox: [
              { geoPoint: { latitude: 1, longitude: first } },
              { geoPoint: { latitude: 2, longitude: second } },
            ],
          },
        },
      },
    },
    { annotation: { geo: { kind: 'box', south: 1, north: 2, west, east } } },
  ]),
  [
    'empty media ask for kinds',
    { input: { data: { image: {}, text: {} } } },
    { input: { kinds: ['image', 'text'] } },
  ],
  ['datasets', { input: { datasetIds: ['a', 'b'] } }, { input: { datasetIds: ['a', 'b'] } }],
  ['a status', { input: { status: { code: 30000 } } }, { input: { statusCode: 30000 } }],
  [
    'miles become kilometres',
    {
      annotation: {
        data: {
          geo: { geoPoint: { latitude: 1, longitude: 2 }, geoLimit: { type: 'withinMiles', value: 10 } },
        },
      },
    },
    { annotation: { geo: { kind: 'circle', centre: { latitude: 1, longitude: 2 }, radiusKm: 16.09344 } } },
  ],
  [
    'two corners in any order make a box',
    {
      annotation: {
        data: {
          geo: {
            geoBox: [
              { geoPoint: { latitude: 5, longitude: 9 } },
              { geoPoint: { latitude: 1, longitude: 2 } },
            ],
          },
        },
      },
    },
    { annotation: { geo: { kind: 'box', south: 1, north: 5, west: 2, east: 9 } } },
  ],
  [
    'negation is kept',
    { negate: true, annotation: { taskId: 't' } },
    { negate: true, annotation: { taskId: 't' } },
  ],
])('%s', (_, wire, expected) => {
  const found = read(wire);
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(JSON.parse(JSON.stringify(found))).toMatchObject(JSON.parse(JSON.stringify(expected)));
});

test.each<[string, WireFilter, string]>([
  ['a value above 1', { annotation: { data: { concepts: [{ id: 'a', value: 2 }] } } }, 'value is 2'],
  [
    'a concept without id and name',
    { annotation: { data: { concepts: [{ value: 1 }] } } },
    'needs an id or a name',
  ],
  [
    'an unknown distance',
    { annotation: { data: { geo: { geoPoint: {}, geoLimit: { type: 'withinYards', value: 1 } } } } },
    'withinYards',
  ],
  [
    'a range of time that ends before it begins',
    { lastUpdatedTimeRange: { startTime: { seconds: 9n }, endTime: { seconds: 8n } } },
    'after its end_time',
  ],
  [
    'annotation and input both asking for data',
    { annotation: { data: {} }, input: { data: { concepts: [{ id: 'a', value: 1 }] } } },
    'two filters',
  ],
  ['a text without end', { annotation: { data: { text: { raw: 'x'.repeat(1001) } } } }, '1001 characters'],
  [
    'more keys of metadata than anybody needs',
    {
      annotation: {
        data: { metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, i])) },
      },
    },
    'at most 100',
  ],
  ['a point without distance', { annotation: { data: { geo: { geoPoint: {} } } } }, 'geo_limit'],
  [
    'a time that no calendar knows',
    { lastUpdatedTimeRange: { startTime: { seconds: 10n ** 17n } } },
    'years 1 to 9999',
  ],
  [
    'a latitude off the globe',
    {
      annotation: {
        data: { geo: { geoPoint: { latitude: 91 }, geoLimit: { type: 'withinMiles', value: 1 } } },
      },
    },
    'no place on earth',
  ],
])('%s is refused in words', (_, wire, words) => {
  expect(() => read(wire)).toThrow(words);
});

test('a query too wide is refused', () => {
  const concepts = Array.from({ length: 1_000 }, (_, i) => ({ id: `c${i}`, value: 1 }));
  const filters = [1, 2, 3].map(() => ({ annotation: { data: { concepts } } }));
  expect(() => readQuery(create(QuerySchema, { filters }))).toThrow('at most 2000');
  expect(() => readQuery(create(QuerySchema, { filters: new Array(101).fill({}) }))).toThrow('at most 100');
  expect(() => readQuery(create(QuerySchema, { ranks: new Array(21).fill({}) }))).toThrow('at most 20');
});

test.each([
  ['NaN', [Number.NaN, 1]],
  ['infinities', [Number.POSITIVE_INFINITY, 1]],
  ['only zeros', [0, 0]],
])('a vector of %s is refused', (_, vector) => {
  const query = create(QuerySchema, { ranks: [{ annotation: { data: { embeddings: [{ vector }] } } }] });
  expect(() => readQuery(query)).toThrow('vector');
});
