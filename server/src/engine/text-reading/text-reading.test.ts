import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasPhotos, photoPath } from '#testing/photos.ts';
import { canPrint, printedPng } from '#testing/text-picture.ts';
import { type Engine, openEngine } from '../index.ts';
import { linesOfTable } from './table.ts';

const row = (line: number, word: number, place: string, confidence: number, text: string) =>
  `5\t1\t1\t1\t${line}\t${word}\t${place.replaceAll(' ', '\t')}\t${confidence}\t${text}`;

test('the reader’s table becomes lines of words, unsure shapes and blanks left out', () => {
  const table = [
    '1\t1\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t',
    row(1, 1, '20 10 40 20', 90, 'Total'),
    row(1, 2, '70 10 30 20', 70, 'due:'),
    row(1, 3, '110 10 30 20', 12, '~~'),
    row(2, 1, '0 0 200 100', 95, ' '),
    row(3, 1, '20 50 40 20', 96, 'EUR'),
    '',
  ].join('\n');
  const size = { width: 200, height: 100 };
  expect(linesOfTable(table, size).map(({ text, value, box }) => [text, value, box])).toEqual([
    ['Total due:', 0.8, { top: 0.1, left: 0.1, bottom: 0.3, right: 0.5 }],
    ['EUR', 0.96, { top: 0.5, left: 0.1, bottom: 0.7, right: 0.3 }],
  ]);
  expect(linesOfTable(table, size, true)[1]?.box).toEqual({
    top: expect.closeTo(0.3),
    left: 0.7,
    bottom: 0.5,
    right: 0.9,
  });
  expect(linesOfTable('', size)).toEqual([]);
});

const print = ['Invoice 4711 from Anna Berg', 'Total amount: 1,250.75 EUR', 'Payable until 31 March 2027'];
const fonts = await canPrint();
let dataDir: string;
let engine: Engine;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'fovea-text-'));
  engine = await openEngine({ dataDir, threads: 2, log: () => {} });
});
afterAll(async () => {
  await engine.close();
  await rm(dataDir, { recursive: true, force: true });
});

const read = async (bytes: Buffer, params = {}) =>
  (await engine.predict('optical-character-recognizer', { bytes }, { params })).regions ?? [];

test.skipIf(!fonts).each([0, 90, 180, 270] as const)(
  'print is read to the letter when turned by %i degrees',
  async (turned) => {
    const lines = await read(await printedPng(print, { turned }));
    expect(lines.map(({ text }) => text)).toEqual(print);
    expect(lines.every(({ value }) => value > 0.8 && value <= 1)).toBe(true);
  },
  60_000,
);

test.skipIf(!fonts)('lines and words lie where they are printed', async () => {
  const bytes = await printedPng(print);
  const [first, second] = await read(bytes);
  const words = await read(bytes, { level: 'word' });
  expect(words.map(({ text }) => text)).toEqual(print.join(' ').split(' '));
  expect(first?.box.bottom).toBeLessThan(second?.box.top as number);
  for (const { box } of words) {
    expect(box.right - box.left).toBeGreaterThan(0.01);
    expect(Math.min(box.left, box.top, 1 - box.right, 1 - box.bottom)).toBeGreaterThanOrEqual(0);
  }
  expect(words[0]?.box.left).toBeCloseTo(first?.box.left as number);
});

test.skipIf(!hasPhotos)('a photographed page is read in part', async () => {
  const text = (await read(await readFile(photoPath('page.png')))).map((line) => line.text).join(' ');
  expect(text).toContain('markers of the coins and the');
  expect(text).toContain('object or background');
});

test.skipIf(!hasPhotos).each(['coffee.png', 'chelsea.png', 'astronaut.png', 'rocket.jpg'])(
  'the photograph %s, without a line of print, has no text',
  async (name) => {
    expect(await read(await readFile(photoPath(name)))).toEqual([]);
  },
);
