import { expect, test } from 'vitest';
import { letterboxOf } from '../model-pixels.ts';
import { type Box, boxInPicture, overlap, squareAround, suppressed } from './boxes.ts';
import { decodeFaces, faceAnchors } from './face-boxes.ts';
import { decodeObjects } from './object-heads.ts';

const box = (left: number, top: number, right: number, bottom: number): Box => ({ left, top, right, bottom });

test.each([
  // picture      where it lies in the square                          a box there               in 0..1
  [
    [1024, 512],
    { left: 0, top: 128, width: 512, height: 256 },
    box(128, 128, 384, 256),
    box(0.25, 0, 0.75, 0.5),
  ],
  [[300, 600], { left: 128, top: 0, width: 256, height: 512 }, box(192, 256, 512, 600), box(0.25, 0.5, 1, 1)],
  [[512, 512], { left: 0, top: 0, width: 512, height: 512 }, box(-10, 0, 256, 512), box(0, 0, 0.5, 1)],
  [[3, 1000], { left: 255, top: 0, width: 2, height: 512 }, box(255, 0, 257, 256), box(0, 0, 1, 0.5)],
] as const)('a letterbox of %j is undone', ([width, height], frame, inSquare, inPicture) => {
  expect(letterboxOf({ width, height }, 512)).toEqual(frame);
  expect(boxInPicture(inSquare, frame)).toEqual(inPicture);
});

test.each([
  [box(0, 0, 2, 2), box(0, 0, 2, 2), 1],
  [box(0, 0, 2, 2), box(1, 0, 3, 2), 1 / 3],
  [box(0, 0, 2, 2), box(2, 0, 4, 2), 0],
  [box(0, 0, 4, 4), box(1, 1, 3, 3), 0.25],
] as const)('%j and %j share %f of their area', (a, b, wanted) => {
  expect(overlap(a, b)).toBeCloseTo(wanted, 6);
});

test.each([
  ['nothing', [], []],
  [
    'the surer of two on one spot',
    [
      [0.4, 0],
      [0.9, 0.1],
    ],
    [0.9],
  ],
  [
    'both that lie apart, surest first',
    [
      [0.4, 0],
      [0.9, 5],
    ],
    [0.9, 0.4],
  ],
  [
    'a chain: the middle one is hidden, the last is not',
    [
      [0.9, 0],
      [0.8, 0.9],
      [0.7, 1.8],
    ],
    [0.9, 0.7],
  ],
] as const)('of overlapping boxes is kept: %s', (_, given, kept) => {
  const found = given.map(([score, x]) => ({ score, box: box(x, 0, x + 2, 2) }));
  expect(suppressed(found, 0.3).map((one) => one.score)).toEqual(kept);
});

test('boxes of different groups do not hide one another', () => {
  const found = [0.5, 0.6].map((score, label) => ({ score, label, box: box(0, 0, 1, 1) }));
  expect(suppressed(found, 0.5, (one) => one.label)).toHaveLength(2);
});

test('a square around a box keeps its middle', () => {
  expect(squareAround(box(10, 20, 30, 60), 1.5)).toEqual({ left: -10, top: 10, width: 60, height: 60 });
});

test('face anchors are cell middles: two to each of 256 cells, then six to each of 64', () => {
  const [fine, coarse] = faceAnchors();
  expect([fine.length, coarse.length]).toEqual([512, 384]);
  expect([fine[0], fine[1], fine[2], fine[32]]).toEqual([
    { x: 8, y: 8 },
    { x: 8, y: 8 },
    { x: 24, y: 8 },
    { x: 8, y: 24 },
  ]);
  expect([coarse[0], coarse[6], coarse[383]]).toEqual([
    { x: 16, y: 16 },
    { x: 48, y: 16 },
    { x: 240, y: 240 },
  ]);
});

test('a face is read relative to its anchor', () => {
  const logits = [new Float32Array(512).fill(-20), new Float32Array(384).fill(-20)];
  const numbers = [new Float32Array(512 * 16), new Float32Array(384 * 16)];
  logits[1]?.fill(0, 6, 7);
  numbers[1]?.set([2, -4, 40, 20, -10, -5], 6 * 16);
  const [face, ...others] = decodeFaces(logits, numbers, 0.4);
  expect(others).toEqual([]);
  expect(face?.score).toBeCloseTo(0.5);
  expect(face?.box).toEqual(box(30, 2, 70, 22));
  expect(face?.points[0]).toEqual({ x: 38, y: 11 });
});

test('an object is a peak of its class with the distances of its cell', () => {
  const scores = new Float32Array(128 * 128 * 80);
  const distances = new Float32Array(128 * 128 * 4);
  const cell = 10 * 128 + 20;
  scores[cell * 80 + 15] = 0.8;
  scores[(cell + 1) * 80 + 15] = 0.7;
  scores[(cell + 5) * 80 + 3] = 0.2;
  distances.set([8, 12, 16, 20], cell * 4);
  const { objects, classScores } = decodeObjects(distances, scores, 0.3);
  expect(objects).toEqual([{ label: 15, score: expect.closeTo(0.8), box: box(72, 28, 96, 60) }]);
  expect(classScores[3]).toBeCloseTo(0.2);
});
