import { expect, test } from 'vitest';
import { areaOf, bitsOf, boundsOf, emptyMask, isOn, joined, maskFrom, paint, partAt } from './mask.ts';

/** A repeatable source of numbers in 0..1. Source: Mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

test('runs say the same as pixels, for any mask', () => {
  for (let seed = 0; seed < 300; seed++) {
    const next = random(seed);
    const width = 1 + Math.floor(next() * 20);
    const height = 1 + Math.floor(next() * 20);
    const share = next();
    const bits = Uint8Array.from({ length: width * height }, () => (next() < share ? 1 : 0));
    const mask = maskFrom(bits, width, height);
    expect(bitsOf(mask)).toEqual(bits);
    const on = [...bits.keys()].filter((i) => bits[i] === 1);
    expect(areaOf(mask)).toBe(on.length);
    const xs = on.map((i) => i % width);
    const ys = on.map((i) => Math.floor(i / width));
    expect(boundsOf(mask)).toEqual(
      on.length === 0
        ? undefined
        : {
            left: Math.min(...xs),
            top: Math.min(...ys),
            right: Math.max(...xs) + 1,
            bottom: Math.max(...ys) + 1,
          },
    );
    const x = Math.floor(next() * width);
    const y = Math.floor(next() * height);
    expect(isOn(mask, x, y)).toBe(bits[y * width + x] === 1);
  }
});

test('a stroke covers the pixels near its way, and erasing takes just those away', () => {
  const bits = bitsOf(emptyMask(40, 30));
  const stroke = { from: { x: 8, y: 10 }, to: { x: 30, y: 10 }, radius: 4 };
  paint(bits, 40, 30, { ...stroke, on: true });
  expect(bits[10 * 40 + 20]).toBe(1);
  expect(bits[6 * 40 + 20]).toBe(1);
  expect(bits[5 * 40 + 20]).toBe(0);
  expect(bits[10 * 40 + 35]).toBe(0);
  paint(bits, 40, 30, { ...stroke, on: false });
  expect(bits.some((bit) => bit === 1)).toBe(false);
});

test('the part under a pixel is what hangs together with it, and parts can be joined', () => {
  const drawn = ['##..#', '#..##', '.....', '###..'];
  const mask = maskFrom(
    Uint8Array.from(drawn.join(''), (letter) => (letter === '#' ? 1 : 0)),
    5,
    4,
  );
  const words = (part: typeof mask | undefined) =>
    part && [...bitsOf(part)].map((bit) => (bit === 1 ? '#' : '.')).join('');
  expect(words(partAt(mask, 0.5, 1.9))).toBe('##...#..............');
  expect(words(partAt(mask, 4, 0))).toBe('....#...##..........');
  expect(partAt(mask, 2, 0)).toBeUndefined();
  expect(partAt(mask, -1, 0)).toBeUndefined();
  expect(partAt(mask, 5, 0)).toBeUndefined();
  const both = joined(partAt(mask, 0, 0) as typeof mask, partAt(mask, 1, 3) as typeof mask);
  expect(words(both)).toBe('##...#.........###..');
});
