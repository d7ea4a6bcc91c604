import { expect, test } from 'vitest';
import { isEverything, type Query, queryFrom, queryOf, queryWords, searchOf } from './query.ts';

const whole: Query = {
  concepts: [
    { id: 'cat', not: false },
    { id: '!odd', not: true },
  ],
  text: 'red & blue',
  kinds: ['image', 'video'],
  status: 'ready',
  datasets: ['train', 'test'],
  like: 'one',
  picture: '',
  region: [0.1, 0.2, 0.5, 0.75],
  geo: { latitude: 40, longitude: -30, km: 100 },
  scoreMin: 0.4,
  asOf: '2026-01-02T03:04:05Z',
};

function addressOf(query: Query): URLSearchParams {
  const address = new URLSearchParams();
  for (const [name, value] of Object.entries(queryWords(query)))
    for (const item of [value ?? []].flat()) if (item !== '') address.append(name, item);
  return address;
}

test('an address says the whole query, and nothing says that everything is wanted', () => {
  expect(queryFrom(addressOf(whole))).toEqual(whole);
  expect(isEverything(queryFrom(new URLSearchParams()))).toBe(true);
  expect(isEverything(whole)).toBe(false);
});

test('each concept is a filter of its own, so that all of them must hold', () => {
  const query = queryFrom(new URLSearchParams('concept=cat&concept=!dog'));
  expect(searchOf(query).query?.filters).toEqual([
    { annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } },
    { annotation: { data: { concepts: [{ id: 'dog', value: 1 }] } }, negate: true },
  ]);
});

test('kinds are one filter, so that any of them may hold', () => {
  const query = queryFrom(new URLSearchParams('kind=image&kind=text&kind=smell'));
  expect(searchOf(query).query?.filters).toEqual([{ input: { data: { image: {}, text: {} } } }]);
});

test('a dropped picture goes before the input it may once have come from', () => {
  const query = queryFrom(new URLSearchParams('like=one&min=0.5'));
  expect(searchOf(query)).toMatchObject({
    query: { ranks: [{ annotation: { input_id: 'one' } }] },
    min_value: 0.5,
  });
  expect(searchOf(query, 'AAAA').query?.ranks).toEqual([
    { annotation: { data: { image: { base64: 'AAAA' } } } },
  ]);
});

test('a saved search comes back as the query that it was made of', () => {
  const query: Query = {
    ...whole,
    // An empty id is nothing that could be said twice; a part of a picture is cut out before it is searched by.
    concepts: [
      { id: 'cat', not: false },
      { id: 'odd', not: true },
    ],
    region: undefined,
  };
  expect(queryOf(searchOf(query), () => 'none')).toEqual(query);
  const kept: Blob[] = [];
  const byPicture = queryOf(searchOf({ ...query, like: '' }, btoa('pixels')), (picture) => {
    kept.push(picture);
    return 'p1';
  });
  expect(byPicture).toEqual({ ...query, like: '', picture: 'p1' });
  expect(kept.map(({ size }) => size)).toEqual([6]);
});

test.each([
  [{ query: { filters: [{ negate: true, input: { data: { image: {} } } }] } }],
  [{ query: { filters: [{ annotation: { data: { metadata: { a: 1 } } } }] } }],
  [{ query: { ranks: [{ negate: true, annotation: { data: { text: { raw: 'x' } } } }] } }],
])('what the box cannot show is not shown as something else: %j', (search) => {
  expect(queryOf(search, () => 'none')).toBeUndefined();
});
