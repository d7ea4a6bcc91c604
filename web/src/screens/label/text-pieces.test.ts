import { expect, test } from 'vitest';
import type { Mark } from '../../canvas/shapes.ts';
import { charactersIn, piecesOf } from './text-pieces.ts';

const mark = (id: string, from: number, to: number): Mark => ({
  id,
  kind: 'span',
  from,
  to,
  concept: { id, name: id },
});

test('overlapping marks cut a text where each begins and ends', () => {
  const pieces = piecesOf([...'Ada met Bob.'], [mark('a', 0, 7), mark('b', 4, 11)]);
  expect(pieces.map(({ from, text, marks }) => [from, text, marks.map(({ id }) => id).join('')])).toEqual([
    [0, 'Ada ', 'a'],
    [4, 'met', 'ab'],
    [7, ' Bob', 'b'],
    [11, '.', ''],
  ]);
});

test('marks that reach past the end of a text stop there, and no text has no pieces', () => {
  expect(piecesOf([...'ab'], [mark('a', 1, 99)]).map(({ text }) => text)).toEqual(['a', 'b']);
  expect(piecesOf([], [])).toEqual([]);
});

test('a sign beyond the first 65,536 counts once', () => {
  expect(charactersIn('a🌍b', 3)).toBe(2);
});
