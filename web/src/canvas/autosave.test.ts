import { expect, test } from 'vitest';
import { changesBetween, countOf } from './autosave.ts';
import type { Drawing, Shape } from './shapes.ts';

const box = (id: string, left = 0): Shape => ({
  id,
  geometry: { kind: 'box', box: { left, top: 0, right: left + 5, bottom: 5 } },
  concept: undefined,
  isLocked: false,
  frame: undefined,
  trackId: undefined,
});
const cat = { id: 'cat', name: 'cat' };
const dog = { id: 'dog', name: 'dog' };

test('only what differs is told to the server', () => {
  const [a, b, c] = [box('a'), box('b'), box('c')];
  const from: Drawing = { shapes: [a, b], labels: [cat] };
  const to: Drawing = { shapes: [{ ...a, isLocked: true }, c], labels: [dog] };
  expect(changesBetween(from, to)).toEqual({
    added: [c],
    changed: [{ ...a, isLocked: true }],
    removed: [b],
    labelsAdded: [dog],
    labelsRemoved: [cat],
  });
  expect(countOf(changesBetween(from, from))).toBe(0);
});
