import { expect, test } from 'vitest';
import { boxAround, copiesOf, marksInOrder, placeOfNew, reordered, withAdded, withChanged } from './edits.ts';
import type { Drawing, Mark, Shape } from './shapes.ts';

const shape = (id: string, left: number, changes: Partial<Shape> = {}): Shape => ({
  id,
  geometry: { kind: 'box', box: { left, top: 10, right: left + 10, bottom: 20 } },
  concept: undefined,
  isLocked: false,
  frame: undefined,
  trackId: undefined,
  ...changes,
});
const drawing = (...shapes: Shape[]): Drawing => ({ shapes, labels: [] });
const ids = ({ shapes }: Drawing) => shapes.map(({ id }) => id).join('');
const four = drawing(shape('a', 0), shape('b', 20), shape('c', 40), shape('d', 60));

test.each([
  ['bd', 1, 'acbd'],
  ['bd', -1, 'bdac'],
  ['abcd', 1, 'abcd'],
  ['', 1, 'abcd'],
] as const)('%s go to the end %i in the order in which they were', (chosen, direction, expected) => {
  expect(ids(reordered(four, new Set(chosen), direction))).toBe(expected);
});

test('a change reaches what is named, the whole track of it where tracks are, and nothing else', () => {
  const tracked = drawing(
    shape('a', 0, { trackId: 't', frame: 1 }),
    shape('b', 0, { trackId: 't', frame: 2 }),
    shape('c', 0),
  );
  const lock = (one: Shape): Shape => ({ ...one, isLocked: true });
  const locked = (made: Drawing) => ids(drawing(...made.shapes.filter(({ isLocked }) => isLocked)));
  expect(locked(withChanged(tracked, { ids: new Set('a') }, lock))).toBe('a');
  expect(locked(withChanged(tracked, { ids: new Set('a'), tracks: new Set('t') }, lock))).toBe('ab');
  // A shape without a track is in none, whatever the tracks are called.
  expect(locked(withChanged(tracked, { ids: new Set(), tracks: new Set(['']) }, lock))).toBe('');
});

test('copies have names of their own, are free, moved, and stay in the picture', () => {
  const kept = [shape('a', 0, { isLocked: true }), shape('b', 85)];
  const copies = copiesOf(kept, { by: { x: 10, y: 0 }, size: { width: 100, height: 100 }, frame: undefined });
  expect(new Set([...copies, ...kept].map(({ id }) => id)).size).toBe(4);
  expect(copies.map(({ isLocked, trackId }) => [isLocked, trackId])).toEqual([
    [false, undefined],
    [false, undefined],
  ]);
  expect(boxAround(copies)).toEqual({ left: 10, top: 10, right: 100, bottom: 20 });
  expect(ids(withAdded(drawing(...kept), copies)).startsWith('ab')).toBe(true);
});

test('what is new on a video is an object of its own, on a picture it has no track', () => {
  expect(placeOfNew(undefined)).toMatchObject({ frame: undefined, trackId: undefined });
  const [one, other] = [placeOfNew(7), placeOfNew(7)];
  expect(one.frame).toBe(7);
  expect(one.trackId).toBeTruthy();
  expect(one.trackId).not.toBe(other.trackId);
});

test('nothing has no box around it', () => expect(boxAround([])).toBeUndefined());

test('marks stand in the order in which they begin, then in which they end', () => {
  const mark = (id: string, from: number, to: number): Mark => ({
    id,
    kind: 'segment',
    from,
    to,
    concept: { id: 'c', name: 'c' },
  });
  const marks = [mark('c', 5, 9), mark('b', 1, 9), mark('a', 1, 2)];
  expect(marksInOrder(marks).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});
