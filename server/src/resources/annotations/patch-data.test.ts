import { create, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { isEmptyData, patchedData } from './patch-data.ts';

type DataInit = MessageInitShape<typeof DataSchema>;

const data = (init: DataInit) => create(DataSchema, init);
const box = (topRow: number, leftCol: number, bottomRow: number, rightCol: number) => ({
  boundingBox: { topRow, leftCol, bottomRow, rightCol },
});
const shown = (value: ReturnType<typeof data>) => toJson(DataSchema, value);

const cat = { concepts: [{ id: 'cat', value: 1 }] };
const catAndDog = {
  concepts: [
    { id: 'cat', value: 1 },
    { id: 'dog', value: 1 },
  ],
};
const region = {
  id: 'r',
  regionInfo: box(0.1, 0.1, 0.2, 0.2),
  data: { concepts: [{ id: 'cat', value: 1 }] },
};
const boxed: DataInit = { regions: [region] };

test.each<[string, 'merge' | 'overwrite' | 'remove', DataInit, DataInit, DataInit]>([
  ['a new concept is appended', 'merge', cat, { concepts: [{ id: 'dog', value: 1 }] }, catAndDog],
  [
    'a known concept gets the new value, in its place',
    'merge',
    catAndDog,
    { concepts: [{ id: 'cat', value: 0 }] },
    {
      concepts: [
        { id: 'cat', value: 0 },
        { id: 'dog', value: 1 },
      ],
    },
  ],
  ['concepts are replaced', 'overwrite', catAndDog, cat, cat],
  [
    'what an overwrite does not name disappears',
    'overwrite',
    { ...cat, metadata: { a: 1 } },
    catAndDog,
    catAndDog,
  ],
  ['concepts go by id, whatever their value', 'remove', catAndDog, { concepts: [{ id: 'dog' }] }, cat],
  ['removing an unknown concept changes nothing', 'remove', cat, { concepts: [{ id: 'cow' }] }, cat],
  [
    'metadata merges deeply',
    'merge',
    { metadata: { a: { b: 1 }, c: 1 } },
    { metadata: { a: { d: 2 } } },
    { metadata: { a: { b: 1, d: 2 }, c: 1 } },
  ],
  ['an empty object replaces metadata', 'merge', { metadata: { a: 1 } }, { metadata: {} }, { metadata: {} }],
  [
    'metadata keys named with true go',
    'remove',
    { metadata: { a: 1, b: 2 } },
    { metadata: { a: true } },
    { metadata: { b: 2 } },
  ],
  [
    'a place on earth is replaced',
    'merge',
    { geo: { geoPoint: { latitude: 1, longitude: 2 } } },
    { geo: { geoPoint: { latitude: 3, longitude: 4 } } },
    { geo: { geoPoint: { latitude: 3, longitude: 4 } } },
  ],
  [
    'a place on earth goes',
    'remove',
    { ...cat, geo: { geoPoint: { latitude: 1, longitude: 2 } } },
    { geo: {} },
    cat,
  ],
  [
    'a region without id changes the one there is',
    'merge',
    boxed,
    { regions: [{ regionInfo: box(0.5, 0.5, 0.6, 0.6) }] },
    { regions: [{ ...region, regionInfo: box(0.5, 0.5, 0.6, 0.6) }] },
  ],
  [
    'a region by its id merges its concepts',
    'merge',
    boxed,
    { regions: [{ id: 'r', data: { concepts: [{ id: 'dog', value: 1 }] } }] },
    { regions: [{ ...region, data: catAndDog }] },
  ],
  [
    'a place of another kind replaces the old one',
    'merge',
    boxed,
    { regions: [{ regionInfo: { point: { row: 0.5, col: 0.5 } } }] },
    { regions: [{ ...region, regionInfo: { point: { row: 0.5, col: 0.5 } } }] },
  ],
  [
    'an overwritten region keeps its id',
    'overwrite',
    boxed,
    { regions: [{ regionInfo: box(0, 0, 1, 1) }] },
    { regions: [{ id: 'r', regionInfo: box(0, 0, 1, 1) }] },
  ],
  [
    'so do the regions of an overwritten frame and overwritten segments, where they stay as many',
    'overwrite',
    { frames: [{ frameInfo: { time: 40 }, data: boxed }], timeSegments: [{ id: 's', data: cat }] },
    {
      frames: [{ frameInfo: { time: 80 }, data: { regions: [{ regionInfo: box(0, 0, 1, 1) }] } }],
      timeSegments: [{ data: catAndDog }],
    },
    {
      frames: [{ frameInfo: { time: 80 }, data: { regions: [{ id: 'r', regionInfo: box(0, 0, 1, 1) }] } }],
      timeSegments: [{ id: 's', data: catAndDog }],
    },
  ],
  ['a region goes by its id', 'remove', boxed, { regions: [{ id: 'r' }] }, {}],
  [
    'the concept of the one region goes',
    'remove',
    boxed,
    { regions: [{ data: { concepts: [{ id: 'cat' }] } }] },
    { regions: [{ ...region, data: {} }] },
  ],
  [
    'frames merge by time',
    'merge',
    { frames: [{ frameInfo: { time: 40 }, data: cat }] },
    { frames: [{ frameInfo: { time: 40 }, data: { concepts: [{ id: 'dog', value: 1 }] } }] },
    { frames: [{ frameInfo: { time: 40 }, data: catAndDog }] },
  ],
  [
    'time segments merge by id',
    'merge',
    { timeSegments: [{ id: 's', data: cat }] },
    { timeSegments: [{ id: 's', timeInfo: { beginTime: 1, endTime: 2 } }] },
    { timeSegments: [{ id: 's', data: cat, timeInfo: { beginTime: 1, endTime: 2 } }] },
  ],
  [
    'a track goes by id',
    'remove',
    { tracks: [{ id: 't' }, { id: 'u' }] },
    { tracks: [{ id: 't' }] },
    { tracks: [{ id: 'u' }] },
  ],
])('%s (%s)', (_title, action, before, sent, after) => {
  const kept = data(before);
  const beforeText = JSON.stringify(shown(kept));
  expect(shown(patchedData(action, kept, data(sent)))).toEqual(shown(data(after)));
  expect(JSON.stringify(shown(kept))).toBe(beforeText);
});

test('an empty list in JSON clears, where gRPC cannot tell it from "not sent"', () => {
  expect(patchedData('merge', data(cat), data({}), { concepts: [] }).concepts).toEqual([]);
  expect(patchedData('merge', data(cat), data({}), {}).concepts).toHaveLength(1);
});

test('JSON may move a single edge of a box', () => {
  const sent = data({ regions: [{ regionInfo: { boundingBox: { bottomRow: 0.9 } } }] });
  const raw = { regions: [{ region_info: { bounding_box: { bottom_row: 0.9 } } }] };
  const after = patchedData('merge', data(boxed), sent, raw);
  expect(after.regions[0]?.regionInfo?.boundingBox).toMatchObject({
    topRow: expect.closeTo(0.1),
    leftCol: expect.closeTo(0.1),
    bottomRow: expect.closeTo(0.9),
    rightCol: expect.closeTo(0.2),
  });
});

test.each<[DataInit, boolean]>([
  [{}, true],
  [{ metadata: {} }, true],
  [{ metadata: { a: 1 } }, false],
  [{ regions: [{ id: 'r' }] }, false],
  [{ text: { raw: 'x' } }, false],
])('%j says nothing: %s', (init, isEmpty) => {
  expect(isEmptyData(data(init))).toBe(isEmpty);
});
