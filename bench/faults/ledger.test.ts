import { expect, test } from 'vitest';
import { Ledger, type Write } from './ledger.ts';

const write = (changes: Write['changes']): Write => ({
  rpc: 'PostThings',
  verb: 'POST',
  path: '/',
  body: {},
  items: changes.length,
  changes,
});
const made = (...keys: string[]) => write(keys.map((key) => ({ key, before: undefined, after: 'new' })));
const there = (...keys: string[]) => new Map(keys.map((key) => [key, 'new']));

test('what was acknowledged and is gone is lost', () => {
  const ledger = new Ledger();
  ledger.acknowledge(made('a', 'b'));
  expect(ledger.compare(there('a'))).toEqual({ lost: ['b is gone'], stuck: [], other: [] });
});

test('what was acknowledged and is there as it was before is lost', () => {
  const ledger = new Ledger();
  ledger.acknowledge(made('a'));
  ledger.acknowledge(write([{ key: 'a', before: 'new', after: 'newer' }]));
  expect(ledger.compare(there('a')).lost).toEqual(['a is new instead of newer']);
});

test('what was deleted and is back is lost', () => {
  const ledger = new Ledger();
  ledger.acknowledge(made('a'));
  ledger.acknowledge(write([{ key: 'a', before: 'new', after: undefined }]));
  expect(ledger.compare(there('a')).lost).toEqual(['a was deleted and is back: new']);
});

test('what nobody made is reported', () => {
  expect(new Ledger().compare(there('a')).other).toEqual(['a is there and nobody made it: new']);
});

test.each([
  { name: 'all', truth: there('a', 'b'), wrong: 0, known: 2 },
  { name: 'nothing', truth: there(), wrong: 0, known: 0 },
  { name: 'a part', truth: there('a'), wrong: 1, known: 1 },
])('of a request without an answer, $name may be there', ({ truth, wrong, known }) => {
  const ledger = new Ledger();
  ledger.doubt(made('a', 'b'));
  expect(ledger.settle(truth)).toHaveLength(wrong);
  expect(ledger.size).toBe(known);
  expect(ledger.compare(truth)).toEqual({ lost: [], stuck: [], other: [] });
});

test('a request that was sent again and answered has to be there', () => {
  const ledger = new Ledger();
  const lost = made('a');
  ledger.doubt(lost);
  expect(ledger.settle(there(), new Set([lost]))).toEqual([
    'PostThings was sent again and answered, and is not there',
  ]);
});
