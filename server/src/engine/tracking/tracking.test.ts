import { describe, expect, test } from 'vitest';
import { assign, forbidden } from './assignment.ts';
import {
  byteTracker,
  centroidTracker,
  type Detection,
  kalmanTracker,
  type Tracker,
  trackFrames,
} from './index.ts';
import { BoxFilter } from './kalman.ts';

const kalman = { covarianceError: 100, observationError: 10 };
const byte = () =>
  byteTracker({
    sureValue: 0.5,
    newTrackValue: 0.5,
    sureDistanceMax: 0.8,
    unsureDistanceMax: 0.5,
    unconfirmedDistanceMax: 0.7,
    lostFramesMax: 5,
    kalman,
  });
const sort = () =>
  kalmanTracker({ metric: 'iou', associationMin: 0.2, newTrackValue: 0.5, lostFramesMax: 5, kalman });
const reid = () =>
  kalmanTracker({
    metric: 'iou',
    associationMin: 0.2,
    newTrackValue: 0.5,
    lostFramesMax: 2,
    kalman,
    recognise: { distanceMax: 0.3, forgottenAfterFrames: 50 },
  });
const centroid = () => centroidTracker({ distanceMax: 0.1, lostFramesMax: 5 });
const usual = { valueMin: 0.1, visibleFramesMin: 1 };

const at = (x: number, y: number, rest: Partial<Detection> = {}, edge = 0.1): Detection => ({
  box: { left: x - edge / 2, top: y - edge / 2, right: x + edge / 2, bottom: y + edge / 2 },
  value: 0.9,
  label: 'ball',
  ...rest,
});

/** The dearest mistake of a greedy choice: all ways to pair, tried one by one. */
function cheapest(costs: number[][]): number {
  const columns = costs[0]?.length ?? 0;
  const best = (row: number, used: Set<number>): { pairs: number; cost: number } => {
    if (row === costs.length) return { pairs: 0, cost: 0 };
    let found = best(row + 1, used);
    for (let column = 0; column < columns; column += 1) {
      const cost = costs[row]?.[column] as number;
      if (used.has(column) || !Number.isFinite(cost)) continue;
      const rest = best(row + 1, new Set([...used, column]));
      const made = { pairs: rest.pairs + 1, cost: rest.cost + cost };
      if (made.pairs > found.pairs || (made.pairs === found.pairs && made.cost < found.cost)) found = made;
    }
    return found;
  };
  return best(0, new Set()).cost;
}

describe('pairing', () => {
  test('takes the cheapest set and not the cheapest pair', () => {
    expect(
      assign([
        [1, 2],
        [1.5, 10],
      ]),
    ).toEqual([1, 0]);
    expect(assign([])).toEqual([]);
    expect(assign([[], []])).toEqual([-1, -1]);
    expect(
      assign([
        [forbidden, 1],
        [forbidden, 2],
      ]),
    ).toEqual([1, -1]);
    expect(assign([[3, 1, 2]])).toEqual([1]);
    expect(assign([[3], [1], [2]])).toEqual([-1, 0, -1]);
  });

  test('equals trying everything, for random costs with forbidden pairs', () => {
    let state = 7;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state / 2_147_483_648;
    };
    for (let round = 0; round < 200; round += 1) {
      const rows = 1 + Math.floor(random() * 5);
      const columns = 1 + Math.floor(random() * 5);
      const costs = Array.from({ length: rows }, () =>
        Array.from({ length: columns }, () => (random() < 0.2 ? forbidden : random())),
      );
      const cost = assign(costs).reduce(
        (sum, column, row) => sum + (column < 0 ? 0 : (costs[row]?.[column] as number)),
        0,
      );
      expect(cost).toBeCloseTo(cheapest(costs), 9);
    }
  });
});

test('a filter learns a speed, and predicts on while nothing is seen', () => {
  const filter = new BoxFilter(at(0.1, 0.5).box, kalman);
  for (let frame = 1; frame <= 10; frame += 1) {
    filter.predict();
    filter.correct(at(0.1 + frame * 0.03, 0.5).box);
  }
  let box = filter.box();
  for (let frame = 0; frame < 5; frame += 1) box = filter.predict();
  expect((box.left + box.right) / 2).toBeCloseTo(0.1 + 15 * 0.03, 2);
  expect(box.right - box.left).toBeCloseTo(0.1, 2);
});

const trackersByName: [string, () => Tracker][] = [
  ['centroid', centroid],
  ['byte', byte],
  ['kalman', sort],
  ['reid', reid],
];

describe.each(trackersByName)('the %s tracker', (_name, open) => {
  test('follows two things that pass by, each under one number', () => {
    const frames = Array.from({ length: 20 }, (_, i) => [at(0.1 + i * 0.02, 0.2), at(0.9 - i * 0.02, 0.6)]);
    expect(trackFrames(open(), frames, usual)).toEqual(frames.map(() => [1, 2]));
  });

  test('follows things whatever the order in which they are listed', () => {
    const frames = Array.from({ length: 12 }, (_, i) => {
      const both = [at(0.1 + i * 0.02, 0.2), at(0.9 - i * 0.02, 0.6)];
      return i % 2 === 0 ? both : both.reverse();
    });
    expect(trackFrames(open(), frames, usual)).toEqual(frames.map((_, i) => (i % 2 === 0 ? [1, 2] : [2, 1])));
  });

  test('never takes one kind of thing for another', () => {
    const frames = [[at(0.5, 0.5)], [at(0.5, 0.5, { label: 'cat' })], [at(0.5, 0.5, { label: 'cat' })]];
    expect(trackFrames(open(), frames, usual)).toEqual([[1], [2], [2]]);
  });

  test('says nothing of empty frames, and nothing of weak detections', () => {
    expect(trackFrames(open(), [[], [at(0.5, 0.5, { value: 0.05 })], []], usual)).toEqual([
      [],
      [undefined],
      [],
    ]);
  });

  test('tracks that are seen too rarely are no tracks, and numbers have no gaps', () => {
    const frames = Array.from({ length: 6 }, (_, i) =>
      i === 0 ? [at(0.9, 0.9), at(0.2, 0.2)] : [at(0.2, 0.2)],
    );
    const numbers = trackFrames(open(), frames, { ...usual, visibleFramesMin: 3 });
    expect(numbers[0]).toEqual([undefined, 1]);
    expect(numbers[5]).toEqual([1]);
  });
});

describe('what is lost', () => {
  const gone = (frames: number) => Array.from({ length: frames }, (): Detection[] => []);

  test('is found again where it should be by now, and only by trackers that predict', () => {
    const before = Array.from({ length: 10 }, (_, i) => [at(0.1 + i * 0.03, 0.5)]);
    const after = [[at(0.1 + 14 * 0.03, 0.5)], [at(0.1 + 15 * 0.03, 0.5)]];
    const frames = [...before, ...gone(4), ...after];
    expect(trackFrames(sort(), frames, usual).at(-1)).toEqual([1]);
    expect(trackFrames(byte(), frames, usual).at(-1)).toEqual([1]);
    expect(trackFrames(centroid(), frames, usual).at(-1)).toEqual([2]);
  });

  test('for too long is another thing', () => {
    const frames = [[at(0.5, 0.5)], [at(0.5, 0.5)], ...gone(8), [at(0.5, 0.5)], [at(0.5, 0.5)]];
    for (const open of [centroid, byte, sort]) expect(trackFrames(open(), frames, usual).at(-1)).toEqual([2]);
  });

  test('is recognised by its looks anywhere, for as long as it is remembered', () => {
    const looks = { embedding: Float32Array.from([1, 0]) };
    const other = { embedding: Float32Array.from([0, 1]) };
    const frames = [
      [at(0.2, 0.2, looks)],
      [at(0.2, 0.2, looks)],
      ...gone(20),
      [at(0.8, 0.8, looks), at(0.2, 0.8, other)],
    ];
    expect(trackFrames(reid(), frames, usual).at(-1)).toEqual([1, 2]);
    const late = [[at(0.2, 0.2, looks)], ...gone(60), [at(0.8, 0.8, looks)]];
    expect(trackFrames(reid(), late, usual).at(-1)).toEqual([2]);
  });
});

test('unsure detections continue a track and never begin one', () => {
  const frames = Array.from({ length: 8 }, (_, i) => [
    at(0.3, 0.3, { value: i === 4 ? 0.2 : 0.9 }),
    at(0.8, 0.8, { value: 0.3 }),
  ]);
  expect(trackFrames(byte(), frames, usual)).toEqual(frames.map(() => [1, undefined]));
});

test('only the surest are tracked where there is a limit', () => {
  const frames = [
    [at(0.2, 0.2, { value: 0.6 }), at(0.8, 0.8)],
    [at(0.2, 0.2, { value: 0.6 }), at(0.8, 0.8)],
  ];
  expect(trackFrames(sort(), frames, { ...usual, detectionsMax: 1 })).toEqual([
    [undefined, 1],
    [undefined, 1],
  ]);
});
