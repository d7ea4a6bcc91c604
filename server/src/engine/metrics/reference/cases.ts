/**
 * Random data that this folder's `record.py` makes in just the same way: numbers are 32-bit draws over 2^32, so that
 * both languages hold the same doubles and only what the reference libraries answered has to be kept.
 */

import { randomFrom } from '#engine/training/random.ts';
import type { ClassificationRows } from '../classification.ts';
import type { DetectionRows } from '../detection.ts';
import { areaOf, runsOf } from '../masks.ts';
import type { FrameObjects, TrackedFrame } from '../tracking.ts';

/** Every fifth set draws scores in tenths, so that many are equal; labels may be all of one kind. */
export function classificationCase(seed: number): ClassificationRows {
  const draw = randomFrom(seed);
  const rows = 1 + Math.floor(draw() * 60);
  const classes = 1 + Math.floor(draw() * 5);
  const isCoarse = seed % 5 === 0;
  const share = draw();
  const probabilities = new Float32Array(rows * classes);
  const truth = new Int8Array(rows * classes);
  for (let i = 0; i < rows * classes; i += 1) {
    const score = draw();
    probabilities[i] = isCoarse ? Math.floor(score * 11) / 10 : score;
    truth[i] = draw() < share ? 1 : 0;
  }
  return { conceptIds: Array.from({ length: classes }, (_, c) => `c${c}`), probabilities, truth };
}

/** Few classes and pictures; some sets without truth or finds, some with crowds, equal scores or scrambled boxes. */
export function detectionCase(seed: number): DetectionRows {
  const draw = randomFrom(seed);
  const images = 1 + Math.floor(draw() * 5);
  const classes = 1 + Math.floor(draw() * 3);
  const trueCount = seed % 17 === 0 ? 0 : Math.floor(draw() * 30);
  const foundCount = seed % 13 === 0 ? 0 : Math.floor(draw() * (seed % 7 === 0 ? 400 : 50));
  const truth = { rows: [] as number[][], crowd: [] as number[] };
  for (let i = 0; i < trueCount; i += 1) {
    const image = Math.floor(draw() * images);
    const own = Math.floor(draw() * classes);
    const [left, top] = [Math.floor(draw() * 400), Math.floor(draw() * 400)];
    const [width, height] = [1 + Math.floor(draw() * 150), 1 + Math.floor(draw() * 150)];
    truth.rows.push([image, own, left, top, width, height]);
    truth.crowd.push(draw() < 0.1 ? 1 : 0);
  }
  const found: number[][] = [];
  const scores: number[] = [];
  for (let i = 0; i < foundCount; i += 1) {
    const near = draw() < 0.7 && trueCount > 0 ? truth.rows[Math.floor(draw() * trueCount)] : undefined;
    const jitter = () => Math.floor(draw() * 21) - 10;
    if (near) {
      const [image, own, left, top, width, height] = near as [number, number, number, number, number, number];
      found.push([
        image,
        own,
        left + jitter(),
        top + jitter(),
        Math.max(1, width + jitter()),
        Math.max(1, height + jitter()),
      ]);
    } else {
      const image = Math.floor(draw() * images);
      const own = Math.floor(draw() * classes);
      const [left, top] = [Math.floor(draw() * 400), Math.floor(draw() * 400)];
      found.push([image, own, left, top, 1 + Math.floor(draw() * 150), 1 + Math.floor(draw() * 150)]);
    }
    const score = draw();
    scores.push(seed % 5 === 0 ? Math.floor(score * 10) / 10 : score);
  }
  const columns = (rows: number[][]) => ({
    image: Int32Array.from(rows, (row) => row[0] as number),
    classIndex: Int32Array.from(rows, (row) => row[1] as number),
    boxes: Float64Array.from(rows.flatMap((row) => row.slice(2))),
  });
  return {
    classes,
    truth: { ...columns(truth.rows), crowd: Uint8Array.from(truth.crowd) },
    found: { ...columns(found), scores: Float64Array.from(scores) },
  };
}

export const maskSide = 40;

/** Ellipses on small pictures, one class; masks as they come out of a segmenter. */
export function maskCase(seed: number): DetectionRows {
  const draw = randomFrom(seed);
  const images = 1 + Math.floor(draw() * 3);
  const make = (count: number) => {
    const image: number[] = [];
    const masks = [];
    const scores: number[] = [];
    for (let i = 0; i < count; i += 1) {
      image.push(Math.floor(draw() * images));
      const [x0, y0] = [draw() * maskSide, draw() * maskSide];
      const [rx, ry] = [2 + draw() * 15, 2 + draw() * 15];
      const pixels = new Uint8Array(maskSide * maskSide);
      for (let y = 0; y < maskSide; y += 1)
        for (let x = 0; x < maskSide; x += 1)
          if (((x - x0) / rx) * ((x - x0) / rx) + ((y - y0) / ry) * ((y - y0) / ry) <= 1)
            pixels[y * maskSide + x] = 1;
      masks.push(runsOf(pixels, maskSide, maskSide));
      scores.push(draw());
    }
    return {
      image: Int32Array.from(image),
      classIndex: new Int32Array(count),
      boxes: new Float64Array(count * 4),
      areas: Float64Array.from(masks, areaOf),
      masks,
      scores: Float64Array.from(scores),
    };
  };
  const { scores: _none, ...truth } = make(1 + Math.floor(draw() * 8));
  return { classes: 1, truth, found: make(Math.floor(draw() * 20)) };
}

export function clusteringCase(seed: number): { truth: Int32Array; clusters: Int32Array } {
  const draw = randomFrom(seed);
  const rows = 1 + Math.floor(draw() * 80);
  const classes = 1 + Math.floor(draw() * 6);
  const clusters = 1 + Math.floor(draw() * (seed % 3 === 0 ? 80 : 6));
  const faithful = draw();
  const truth = Int32Array.from({ length: rows }, () => Math.floor(draw() * classes));
  return {
    truth,
    clusters: Int32Array.from(truth, (own) => (draw() < faithful ? own : Math.floor(draw() * clusters))),
  };
}

/** Objects that wander; tracks that follow them, lose them and change over. */
export function trackingCase(seed: number): TrackedFrame[] {
  const draw = randomFrom(seed);
  const frames = 1 + Math.floor(draw() * 20);
  const objects = Math.floor(draw() * 6);
  const places = Array.from({ length: objects }, () => [draw() * 200, draw() * 200]);
  const tracks = places.map((_, i) => i + 100);
  let next = 500;
  return Array.from({ length: frames }, () => {
    const truth: number[][] = [];
    const found: number[][] = [];
    // Before anything is shown: no track stands twice in one frame.
    if (objects > 1 && draw() < 0.2) {
      const [one, other] = [Math.floor(draw() * objects), Math.floor(draw() * objects)];
      [tracks[one], tracks[other]] = [tracks[other] as number, tracks[one] as number];
    }
    places.forEach((place, i) => {
      place[0] = (place[0] as number) + (draw() - 0.5) * 10;
      place[1] = (place[1] as number) + (draw() - 0.5) * 10;
      const isThere = draw() < 0.9;
      const isFound = draw() < 0.8;
      if (draw() < 0.1) {
        tracks[i] = next;
        next += 1;
      }
      const [dx, dy] = [(draw() - 0.5) * 14, (draw() - 0.5) * 14];
      if (isThere) truth.push([i, place[0] as number, place[1] as number, 30, 40]);
      if (isFound)
        found.push([tracks[i] as number, (place[0] as number) + dx, (place[1] as number) + dy, 30, 40]);
    });
    if (draw() < 0.3) {
      found.push([next, draw() * 200, draw() * 200, 30, 40]);
      next += 1;
    }
    const objectsOf = (rows: number[][]): FrameObjects => ({
      ids: Int32Array.from(rows, (row) => row[0] as number),
      boxes: Float64Array.from(rows.flatMap((row) => row.slice(1))),
    });
    return { truth: objectsOf(truth), found: objectsOf(found) };
  });
}
