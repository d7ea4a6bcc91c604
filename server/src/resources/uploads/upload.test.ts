import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { judgeParts, type Part, partTrouble } from './upload.ts';

const part = (partNumber: number, rangeStart: number, text: string): Part => ({
  partNumber,
  rangeStart,
  sizeBytes: text.length,
  sha: createHash('sha256').update(text).digest(),
  object: `${partNumber}-x`,
});

test.each([
  [{ partNumber: 1, rangeStart: 0, sizeBytes: 10 }, undefined],
  [{ partNumber: 10_000, rangeStart: 9, sizeBytes: 1 }, undefined],
  [{ partNumber: 0, rangeStart: 0, sizeBytes: 1 }, 'part_number'],
  [{ partNumber: 10_001, rangeStart: 0, sizeBytes: 1 }, 'part_number'],
  [{ partNumber: 1, rangeStart: 0, sizeBytes: 0 }, 'no data'],
  [{ partNumber: 1, rangeStart: 5, sizeBytes: 6 }, 'bytes 5 to 10'],
  [{ partNumber: 1, rangeStart: 2 ** 53, sizeBytes: 1 }, 'content has 10 bytes'],
])('of ten bytes, %o is refused for: %s', (place, words) => {
  const trouble = partTrouble(place, 10);
  if (words === undefined) expect(trouble).toBeUndefined();
  else expect(trouble).toContain(words);
});

test.each([
  ['a part that was not there is new', [part(1, 0, 'abc')], [part(2, 3, 'de')], { fresh: [2], repeated: [] }],
  [
    'the same part again is a repetition',
    [part(1, 0, 'abc')],
    [part(1, 0, 'abc')],
    { fresh: [], repeated: [1] },
  ],
  ['a number with other bytes contradicts', [part(1, 0, 'abc')], [part(1, 0, 'abd')], 'other bytes'],
  ['a number with another range contradicts', [part(1, 0, 'abc')], [part(1, 3, 'abc')], 'other bytes'],
  ['a range that begins inside another overlaps', [part(1, 0, 'abc')], [part(2, 2, 'xy')], 'overlaps part 1'],
  ['a range that ends inside another overlaps', [part(1, 2, 'abc')], [part(2, 0, 'xyz')], 'overlaps part 1'],
  [
    'two of one request may contradict each other',
    [],
    [part(1, 0, 'abc'), part(2, 1, 'x')],
    'overlaps part 1',
  ],
  [
    'order does not matter',
    [part(3, 6, 'ghi')],
    [part(2, 3, 'def'), part(1, 0, 'abc')],
    { fresh: [2, 1], repeated: [] },
  ],
] as const)('%s', (_title, kept, arriving, expected) => {
  const judged = judgeParts(kept, arriving);
  if (typeof expected === 'string')
    return expect(judged).toEqual({ conflict: expect.stringContaining(expected) });
  expect(judged).toEqual({
    fresh: expected.fresh.map((n) => expect.objectContaining({ partNumber: n })),
    repeated: expected.repeated.map((n) => expect.objectContaining({ partNumber: n })),
  });
});
