import { expect, test } from 'vitest';
import { type GraphLinks, linksAbove, linksPerNode, packLinks, unpackLinks } from './graph-links.ts';

/** Three nodes in a ring; the first is at one level above the bottom too, alone. */
function ring(): GraphLinks {
  const base = new Int32Array(3 * linksPerNode).fill(-1);
  for (let id = 0; id < 3; id += 1) base.set([(id + 1) % 3, (id + 2) % 3], id * linksPerNode);
  const above = new Int32Array(1 + linksAbove).fill(-1);
  above[0] = 1;
  return { count: 3, entry: 0, levels: 1, base, aboveAt: Int32Array.of(0, -1, -1), above };
}

test('links come out of a file as they went in', () => {
  expect(unpackLinks(packLinks(ring()))).toEqual(ring());
});

test.each<[string, (links: GraphLinks) => Partial<GraphLinks>]>([
  ['an entry that is not there', () => ({ entry: 3 })],
  ['an entry below the highest level', () => ({ entry: 1 })],
  ['more levels than the entry has', () => ({ levels: 2 })],
  ['a link to nowhere', ({ base }) => ({ base: base.with(0, 3) })],
  ['a link before the first', ({ base }) => ({ base: base.with(1, -2) })],
  ['upper links that begin behind the end', () => ({ aboveAt: Int32Array.of(1, -1, -1) })],
  ['an upper link to a node that is not up there', ({ above }) => ({ above: above.with(1, 2) })],
  ['more levels than there is room for', ({ above }) => ({ above: above.with(0, 2) })],
])('%s is refused', (_, change) => {
  expect(() => unpackLinks(packLinks({ ...ring(), ...change(ring()) }))).toThrow('out of the graph');
});

test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
  ['cut short', (bytes) => bytes.subarray(0, bytes.length - 4)],
  ['longer', (bytes) => Uint8Array.from([...bytes, 0, 0, 0, 0])],
  ['empty', () => new Uint8Array()],
  ['of something else', (bytes) => bytes.with(0, 7)],
])('a file that is %s is none', (_, change) => {
  expect(() => unpackLinks(change(packLinks(ring())))).toThrow('no file of links');
});
