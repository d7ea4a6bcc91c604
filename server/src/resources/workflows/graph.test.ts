import { expect, test } from 'vitest';
import { runningOrder } from './graph.ts';

const nodes = (text: string) =>
  text.split(' ').map((part) => {
    const [id = '', inputs = ''] = part.split('<');
    return { id, inputs: inputs === '' ? [] : inputs.split(',') };
  });

test.each([
  // sent              runs as
  ['a b c', 'a b c'],
  ['a b<a c<a', 'a b c'],
  ['c<b a b<a', 'a b c'],
  ['d<b,c b<a c<a a', 'a b c d'],
])('nodes sent as %s run as %s', (sent, expected) => {
  expect(
    runningOrder(nodes(sent))
      .map(({ id }) => id)
      .join(' '),
  ).toBe(expected);
});

test.each([
  ['a<b b<a', 22107, 'circle'],
  ['a<a', 22107, 'circle'],
  ['a<x', 22107, "'x'"],
  ['a a', 22104, "'a'"],
])('nodes sent as %s are refused with %i', (sent, code, words) => {
  expect(() => runningOrder(nodes(sent))).toThrowError(
    expect.objectContaining({ code, details: expect.stringContaining(words) }),
  );
});
