import { expect, test } from 'vitest';
import { FrameIndex } from './frame-times.ts';
import type { VideoIndex } from './video.ts';
import { VideoIndexes } from './video-indexes.ts';

const hash = (byte: number) => Uint8Array.of(byte);
const video = (frames: number): VideoIndex => {
  const marks = Array.from({ length: frames }, (_, pts) => ({ pts, isKey: true, readAt: pts }));
  const index = new FrameIndex(marks, { num: 1, den: 25 }, 0, 1);
  const facts = { width: 8, height: 8, fps: 25, format: 'MP4', codec: 'h264', bitRate: 1 };
  return { facts: { ...facts, frameCount: frames, durationSeconds: frames / 25 }, index };
};

test('videos not asked for for longest are let go when there are too many frames', () => {
  const indexes = new VideoIndexes(10);
  const [a, b, c] = [video(4), video(4), video(4)];
  indexes.set(hash(1), a);
  indexes.set(hash(2), b);
  expect(indexes.get(hash(1))).toBe(a);
  indexes.set(hash(3), c);
  expect([1, 2, 3].map((byte) => indexes.get(hash(byte)))).toEqual([a, undefined, c]);
});

test('one that is longer than all may be, and bytes without a hash, are not remembered', () => {
  const indexes = new VideoIndexes(10);
  const short = video(3);
  indexes.set(hash(1), short);
  indexes.set(hash(2), video(11));
  indexes.set(undefined, video(2));
  expect(indexes.get(hash(1))).toBe(short);
  expect(indexes.get(hash(2))).toBeUndefined();
  expect(indexes.get(undefined)).toBeUndefined();
});

test('the same again takes its place once', () => {
  const indexes = new VideoIndexes(10);
  for (let times = 0; times < 5; times++) indexes.set(hash(1), video(6));
  indexes.set(hash(2), video(4));
  expect(indexes.get(hash(1))).toBeDefined();
  expect(indexes.get(hash(2))).toBeDefined();
});
