import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { DataSchema, type RegionInfoSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { maskBytesMax, settleShape, shapeTrouble } from './place.ts';

type Info = MessageInitShape<typeof RegionInfoSchema>;

const withRegion = (regionInfo: Info) => create(DataSchema, { regions: [{ regionInfo }] });
const box = (topRow: number, leftCol: number, bottomRow: number, rightCol: number) => ({
  boundingBox: { topRow, leftCol, bottomRow, rightCol },
});
const points = (...pairs: [number, number][]): Info => ({
  polygon: { points: pairs.map(([row, col]) => ({ row, col })) },
});

test.each<[string, Info]>([
  ['a whole picture', box(0, 0, 1, 1)],
  ['a rounding error outside', box(-0.0004, 0, 1.0004, 1)],
  ['a triangle', points([0, 0], [0, 1], [1, 1])],
  ['a point on the edge', { point: { row: 1, col: 0 } }],
  ['a small mask', { mask: { image: { base64: new Uint8Array(10) } } }],
  ['a span of characters', { span: { charStart: 2, charEnd: 5 } }],
  [
    'key points',
    {
      keypointLocations: [
        { row: 0.5, col: 0.5 },
        { row: 0, col: 0 },
      ],
    },
  ],
])('%s is accepted', (_title, info) => {
  expect(shapeTrouble(withRegion(info))).toBeUndefined();
});

test.each<[string, Info, RegExp]>([
  ['a box outside the picture', box(0, 0, 1.2, 1), /bottom_row is 1\.2.*0 to 1/],
  ['an upside-down box', box(0.5, 0, 0.4, 1), /top_row has to be less than bottom_row/],
  ['a box without width', box(0, 0.5, 1, 0.5), /left_col has to be less than right_col/],
  ['a box of nothing', box(0, 0, 0, 0), /top_row has to be less/],
  ['a box of NaN', box(Number.NaN, 0, 1, 1), /top_row is NaN/],
  ['a polygon of two points', points([0, 0], [1, 1]), /needs 3/],
  ['a polygon that leaves the picture', points([0, 0], [0, 1], [2, 1]), /points\[2\]\.row is 2/],
  ['two kinds of places at once', { ...box(0, 0, 1, 1), point: { row: 0, col: 0 } }, /2 kinds/],
  ['an empty mask', { mask: { image: {} } }, /mask\.image is empty/],
  ['a mask that is too large', { mask: { image: { base64: new Uint8Array(maskBytesMax + 1) } } }, /at most/],
  ['a token that ends before it starts', { token: { charStart: 5, charEnd: 2 } }, /char_end/],
])('%s is refused with words that name the field', (_title, info, words) => {
  expect(shapeTrouble(withRegion(info))).toMatch(words);
});

test.each<[string, MessageInitShape<typeof DataSchema>]>([
  ['regions', { regions: [{}, {}] }],
  ['frames', { frames: [{}, {}] }],
])('an annotation with two %s is refused', (name, init) => {
  expect(shapeTrouble(create(DataSchema, init))).toContain(`data.${name} holds 2`);
});

test('a region inside a frame is checked as well', () => {
  const data = create(DataSchema, { frames: [{ data: { regions: [{ regionInfo: box(0, 0, 3, 1) }] } }] });
  expect(shapeTrouble(data)).toContain('data.frames[0].data.regions[0].region_info.bounding_box.bottom_row');
});

test('small overshoot is moved to the edge, and parts without id get one', () => {
  const data = create(DataSchema, {
    regions: [{ regionInfo: box(-0.0004, 0, 1.0004, 1) }],
    timeSegments: [{ id: 'kept' }, {}],
  });
  const settled = settleShape(data, () => 'made');
  expect(settled.regions[0]).toMatchObject({
    id: 'made',
    regionInfo: { boundingBox: { topRow: 0, bottomRow: 1 } },
  });
  expect(settled.timeSegments.map(({ id }) => id)).toEqual(['kept', 'made']);
});

test('what was sent stays as it was, and what needs no settling comes back itself', () => {
  const data = withRegion(box(-0.0004, 0, 1, 1));
  const sent = structuredClone(data);
  settleShape(data, () => 'made');
  expect(data).toEqual(sent);
  const settled = settleShape(data, () => 'made');
  expect(settleShape(settled, () => 'other')).toBe(settled);
});
