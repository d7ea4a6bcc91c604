import { expect, test } from 'vitest';
import type { Shape } from './shapes.ts';
import { betweenAt, keyframeBeside, rounded, stretchesOf, type Track, tracksOf } from './tracks.ts';

const key = (frame: number, left: number, outsideAfter = false): Shape => ({
  id: `k${frame}`,
  geometry: { kind: 'box', box: { left, top: 0, right: left + 10, bottom: 10 } },
  concept: { id: 'ball', name: 'ball' },
  isLocked: false,
  frame,
  trackId: 'ball',
  ...(outsideAfter ? { outsideAfter } : {}),
});
const track = (...keyframes: Shape[]): Track => tracksOf(keyframes)[0] as Track;
const leftAt = (one: Track, frame: number) => {
  const geometry = betweenAt(one, frame)?.shape.geometry;
  return geometry?.kind === 'box' ? geometry.box.left : undefined;
};

test('keyframes are put in order, whatever order they were drawn in', () => {
  const [one] = tracksOf([key(9, 0), key(2, 0), { ...key(0, 0), trackId: undefined }]);
  expect(one?.keyframes.map(({ frame }) => frame)).toEqual([2, 9]);
  expect(tracksOf([{ ...key(0, 0), trackId: undefined }])).toEqual([]);
});

test('a box moves evenly between its keyframes, and is held on after the last', () => {
  const one = track(key(0, 0), key(10, 40));
  expect([1, 5, 9].map((frame) => leftAt(one, frame))).toEqual([4, 20, 36]);
  expect(betweenAt(one, 10)).toBeUndefined();
  expect(betweenAt(one, 12)).toMatchObject({ kind: 'held', shape: { id: 'k10' } });
  expect(betweenAt(track(key(3, 0)), 2)).toBeUndefined();
});

test('out of sight is out of sight until the next keyframe', () => {
  const one = track(key(0, 0), key(4, 8, true), key(8, 0), key(10, 4, true));
  expect([2, 5, 7, 9, 11].map((frame) => leftAt(one, frame))).toEqual([
    4,
    undefined,
    undefined,
    2,
    undefined,
  ]);
  expect(stretchesOf(one)).toEqual([
    { from: 0, to: 4 },
    { from: 8, to: 10 },
  ]);
});

test('shapes of different kinds do not move into each other', () => {
  const point: Shape = { ...key(6, 0), geometry: { kind: 'point', point: { x: 1, y: 1 } } };
  expect(betweenAt(track(key(0, 0), point), 3)).toBeUndefined();
  expect(stretchesOf(track(key(0, 0), point))).toEqual([
    { from: 0, to: 0 },
    { from: 6, to: 6 },
  ]);
});

test('the keyframes beside a frame are found in both directions', () => {
  const one = track(key(2, 0), key(7, 0));
  expect([1, 2, 7].map((frame) => keyframeBeside(one, frame, 1))).toEqual([2, 7, undefined]);
  expect([2, 3, 9].map((frame) => keyframeBeside(one, frame, -1))).toEqual([undefined, 2, 7]);
});

test('what becomes a keyframe lies on whole pixels', () => {
  expect(rounded({ kind: 'point', point: { x: 1.6, y: 2.4 } })).toEqual({
    kind: 'point',
    point: { x: 2, y: 2 },
  });
});
