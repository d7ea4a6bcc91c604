import { afterEach, expect, test } from 'vitest';
import { colorOf, orderConcepts, palette } from './colors.ts';

afterEach(() => orderConcepts([]));

const eleven = Array.from({ length: 11 }, (_, i) => `concept-${i}`);

test('the first eleven concepts of an app have eleven colours, none of them grey', () => {
  orderConcepts(eleven);
  const colors = new Set(eleven.map(colorOf));
  expect(colors.size).toBe(11);
  expect(colors).not.toContain(palette[11]);
});

test('a concept keeps its colour while others are added', () => {
  orderConcepts(eleven.slice(0, 3));
  const before = eleven.slice(0, 3).map(colorOf);
  orderConcepts([...eleven, 'more']);
  expect(eleven.slice(0, 3).map(colorOf)).toEqual(before);
});

test('one from elsewhere has the colour of its id, whatever the app holds', () => {
  const before = colorOf('train');
  orderConcepts(eleven);
  expect(colorOf('train')).toBe(before);
  expect(palette).toContain(before);
});
