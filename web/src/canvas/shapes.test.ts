import { describe, expect, test } from 'vitest';
import { bitsOf, maskFrom } from './mask.ts';
import { boxOf, hits, isSolid, moved, type Shape, shapeAt, snap, withCorner } from './shapes.ts';

const size = { width: 100, height: 80 };
const box = { left: 10, top: 20, right: 40, bottom: 60 };
const shape = (id: string, geometry: Shape['geometry']): Shape => ({
  id,
  geometry,
  concept: undefined,
  isLocked: false,
  frame: undefined,
  trackId: undefined,
});

describe('moving', () => {
  test.each([
    [
      { x: 5.4, y: -3.2 },
      { left: 15, top: 17, right: 45, bottom: 57 },
    ],
    [
      { x: -50, y: 0 },
      { left: 0, top: 20, right: 30, bottom: 60 },
    ],
    [
      { x: 999, y: 999 },
      { left: 70, top: 40, right: 100, bottom: 80 },
    ],
  ])('a box by %o ends at %o', (by, expected) => {
    expect(boxOf(moved({ kind: 'box', box }, by, size))).toEqual(expected);
  });

  test('a mask takes its pixels along, and they stay inside', () => {
    const bits = new Uint8Array(100 * 80);
    for (const [x, y] of [
      [10, 10],
      [11, 10],
      [10, 11],
    ] as const)
      bits[y * 100 + x] = 1;
    const there = moved({ kind: 'mask', mask: maskFrom(bits, 100, 80) }, { x: 500, y: 3 }, size);
    if (there.kind !== 'mask') throw new Error('a mask stays one');
    const on = [...bitsOf(there.mask).entries()]
      .filter(([, bit]) => bit === 1)
      .map(([i]) => [i % 100, Math.floor(i / 100)]);
    expect(on).toEqual([
      [98, 13],
      [99, 13],
      [98, 14],
    ]);
    const back = moved(there, { x: -88, y: -3 }, size);
    expect(back.kind === 'mask' && bitsOf(back.mask)).toEqual(bits);
  });
});

test('a corner may pass the opposite one', () => {
  expect(withCorner(box, 0, { x: 90, y: 70 })).toEqual({ left: 40, top: 60, right: 90, bottom: 70 });
});

test('of nested shapes the smallest is reached', () => {
  const shapes = [
    shape('large', { kind: 'box', box: { left: 0, top: 0, right: 90, bottom: 70 } }),
    shape('small', { kind: 'box', box }),
  ];
  expect(shapeAt(shapes, { x: 20, y: 30 }, 0)?.id).toBe('small');
  expect(shapeAt(shapes.toReversed(), { x: 20, y: 30 }, 0)?.id).toBe('small');
  expect(shapeAt(shapes, { x: 80, y: 10 }, 0)?.id).toBe('large');
  expect(shapeAt(shapes, { x: 95, y: 75 }, 0)).toBeUndefined();
});

test('a polygon is hit inside and along its outline', () => {
  const triangle = shape('t', {
    kind: 'polygon',
    points: [
      { x: 0, y: 0 },
      { x: 40, y: 0 },
      { x: 0, y: 40 },
    ],
  });
  expect(hits(triangle, { x: 10, y: 10 }, 0)).toBe(true);
  expect(hits(triangle, { x: 39, y: 39 }, 0)).toBe(false);
  expect(hits(triangle, { x: 21, y: 21 }, 2)).toBe(true);
});

test('places snap to corners of pixels inside the picture', () => {
  expect(snap({ x: 10.6, y: -4 }, size)).toEqual({ x: 11, y: 0 });
});

test.each([
  [{ kind: 'box', box: { left: 5, top: 5, right: 5, bottom: 9 } }, false],
  [{ kind: 'box', box }, true],
  [
    {
      kind: 'polygon',
      points: [
        { x: 0, y: 0 },
        { x: 1, y: 1 },
      ],
    },
    false,
  ],
  [{ kind: 'mask', mask: maskFrom(new Uint8Array(4), 2, 2) }, false],
  [{ kind: 'point', point: { x: 1, y: 1 } }, true],
] as const)('%o is kept: %s', (geometry, expected) => {
  expect(isSolid(geometry)).toBe(expected);
});
