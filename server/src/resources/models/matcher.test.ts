import { expect, test } from 'vitest';
import { matcher } from './concept-handlers.ts';

test.each([
  ['*cat*', 'My Cat sits', true],
  ['cat', 'cat', true],
  ['cat', 'cats', false],
  ['cat*', 'catalogue', true],
  ['*cat', 'tomcat', true],
  ['c*t', 'ct', true],
  ['ca*at', 'cat', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['*', 'anything', true],
  ['.*', 'x', false],
])('%s on %s: %s', (pattern, name, expected) => {
  expect(matcher(pattern)(name)).toBe(expected);
});

test('many stars take no longer than few', () => {
  const startedMs = performance.now();
  expect(matcher(`${'*a'.repeat(60)}*b`)('a'.repeat(250))).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(100);
});
