import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { areaOfRings, cornersOfBox, outlinesOfMask } from './polygon.ts';
import {
  areaOfMask,
  bitmapOfMask,
  boundsOfMask,
  isWhole,
  maskFromBitmap,
  maskOfPolygons,
  maskOfRing,
  packCounts,
  tidy,
  unionOfMasks,
  unpackCounts,
} from './rle.ts';

/** What pycocotools 2.0.11 makes of random bitmaps, polygons and unions. */
const golden = JSON.parse(
  readFileSync(new URL('../../testdata/masks.golden.json', import.meta.url), 'utf8'),
) as {
  bitmaps: { height: number; width: number; rows: string; counts: string; area: number; bbox: number[] }[];
  polygons: { height: number; width: number; ring: number[]; counts: string; area: number }[];
  union: { height: number; width: number; parts: string[]; counts: string }[];
  large: { height: number; width: number; counts: string; area: number };
};

test('bitmaps become the runs, the text, the area and the bounds that pycocotools gives', () => {
  for (const { height, width, rows, counts, area, bbox } of golden.bitmaps) {
    const mask = maskFromBitmap([...rows].map(Number), width, height);
    expect(packCounts(mask.counts)).toBe(counts);
    expect(unpackCounts(counts)).toEqual(mask.counts);
    expect(areaOfMask(mask)).toBe(area);
    const { x, y, width: w, height: h } = boundsOfMask(mask) ?? { x: 0, y: 0, width: 0, height: 0 };
    expect([x, y, w, h]).toEqual(bbox);
    expect([...bitmapOfMask(mask)].join('')).toBe(rows);
  }
});

test('long runs take several groups of the text', () => {
  const { height, width, counts, area } = golden.large;
  const runs = unpackCounts(counts) as number[];
  expect(isWhole({ width, height, counts: runs })).toBe(true);
  expect(areaOfMask({ width, height, counts: runs })).toBe(area);
  expect(packCounts(runs)).toBe(counts);
});

test('polygons cover the pixels that pycocotools says, run for run', () => {
  for (const { height, width, ring, counts } of golden.polygons) {
    expect(packCounts(maskOfRing(ring, width, height).counts), JSON.stringify(ring)).toBe(counts);
  }
});

test('unions are those of pycocotools', () => {
  for (const { height, width, parts, counts } of golden.union) {
    const masks = parts.map((text) => ({ width, height, counts: unpackCounts(text) as number[] }));
    expect(packCounts(unionOfMasks(masks).counts)).toBe(counts);
  }
});

const bitmaps = fc
  .record({ width: fc.integer({ min: 1, max: 16 }), height: fc.integer({ min: 1, max: 16 }) })
  .chain(({ width, height }) =>
    fc
      .array(fc.integer({ min: 0, max: 1 }), { minLength: width * height, maxLength: width * height })
      .map((pixels) => ({ width, height, pixels })),
  );

test('outlines enclose exactly the pixels of the mask, less its holes', () => {
  fc.assert(
    fc.property(bitmaps, ({ width, height, pixels }) => {
      const mask = maskFromBitmap(pixels, width, height);
      const { rings, hasHoles } = outlinesOfMask(mask);
      const area = areaOfRings(rings);
      if (hasHoles) expect(area).toBeGreaterThan(areaOfMask(mask));
      else expect(area).toBe(areaOfMask(mask));
    }),
  );
});

test('a mask without holes comes back from its outlines', () => {
  const square = maskFromBitmap([0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0], 4, 4);
  expect(outlinesOfMask(square).rings).toEqual([[3, 1, 3, 3, 1, 3, 1, 1]]);
  expect(tidy(maskOfPolygons(outlinesOfMask(square).rings, 4, 4))).toEqual(square);
});

test.each([
  ['', []],
  ['\u0000', undefined],
  ['ooooooooooooo', undefined],
])('the text %j is not taken for runs that it does not spell', (text, counts) => {
  expect(unpackCounts(text)).toEqual(counts);
});

test('runs that do not fill the picture are no mask', () => {
  expect(isWhole({ width: 2, height: 2, counts: [4] })).toBe(true);
  expect(isWhole({ width: 2, height: 2, counts: [3] })).toBe(false);
  expect(isWhole({ width: 2, height: 2, counts: [5, -1] })).toBe(false);
  expect(isWhole({ width: 2, height: 2, counts: [Number.NaN, 4] })).toBe(false);
});

test('corners turn clockwise about the middle of the box', () => {
  const corners = cornersOfBox({ x: 0, y: 0, width: 4, height: 2, rotation: 90 });
  const hoped = [3, -1, 3, 3, 1, 3, 1, -1];
  corners.forEach((value, i) => {
    expect(value).toBeCloseTo(hoped[i] as number, 9);
  });
});
