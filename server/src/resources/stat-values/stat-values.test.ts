import { timestampDate, timestampFromDate } from '@fovea/contract';
import { beforeAll, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';

let sam: Person;
const at = (text: string) => timestampFromDate(new Date(text));

beforeAll(async () => {
  sam = await signedIn('sam');
  const reply = await sam.client.postStatValues({
    statValues: [
      { time: at('2026-03-01T10:05:00Z'), value: 1, tags: ['task_id:a', 'worker:1'] },
      { time: at('2026-03-01T10:55:00Z'), value: 2, tags: ['task_id:a', 'worker:2'] },
      { time: at('2026-03-01T11:00:00Z'), value: 4, tags: ['task_id:b', 'worker:1'] },
      { time: at('2026-04-01T00:00:00Z'), value: 8, tags: ['task_id:b'] },
    ],
  });
  expect(reply.status?.code).toBe(10000);
  expect(reply.statValues.map(({ value }) => value)).toEqual([1, 2, 4, 8]);
});

async function ask(query: object) {
  const reply = await sam.client.postStatValuesAggregate({ statValueAggregateQueries: [query] });
  expect(reply.status?.code).toBe(10000);
  return (reply.statValueAggregateResults[0]?.statValueAggregates ?? []).map(
    ({ time, aggregateValue, count, tags }) => [
      time ? timestampDate(time).toISOString() : '',
      aggregateValue,
      Number(count),
      ...tags,
    ],
  );
}

test('without groups and bins everything is one sum; tags and both ends of a range narrow it', async () => {
  expect(await ask({})).toEqual([['', 15, 4]]);
  expect(await ask({ tags: ['task_id:a'] })).toEqual([['', 3, 2]]);
  expect(await ask({ tags: ['task_id:b', 'worker:1'] })).toEqual([['', 4, 1]]);
  const range = { startTime: at('2026-03-01T10:55:00Z'), endTime: at('2026-03-01T11:00:00Z') };
  expect(await ask(range)).toEqual([['', 6, 2]]);
  expect(await ask({ tags: ['task_id:none'] })).toEqual([]);
});

test('groups of tags make a row for each combination', async () => {
  expect(await ask({ tagGroups: ['task_id'] })).toEqual([
    ['', 3, 2, 'task_id:a'],
    ['', 12, 2, 'task_id:b'],
  ]);
  expect(await ask({ tagGroups: ['task_id', 'worker'] })).toEqual([
    ['', 1, 1, 'task_id:a', 'worker:1'],
    ['', 2, 1, 'task_id:a', 'worker:2'],
    ['', 4, 1, 'task_id:b', 'worker:1'],
  ]);
});

test('times fall into bins, and averages are averages', async () => {
  expect(await ask({ statTimeAggType: 5, statValueAggType: 1 })).toEqual([
    ['2026-03-01T10:00:00.000Z', 1.5, 2],
    ['2026-03-01T11:00:00.000Z', 4, 1],
    ['2026-04-01T00:00:00.000Z', 8, 1],
  ]);
  expect(await ask({ statTimeAggType: 1 })).toEqual([['2026-01-01T00:00:00.000Z', 15, 4]]);
});

test('a value without a time is of now; a tag without a group is refused, and nothing is kept', async () => {
  const before = Date.now() - 60_000;
  const made = await sam.client.postStatValues({ statValues: [{ value: 16, tags: ['now:1'] }] });
  expect(timestampDate(made.statValues[0]?.time as never).getTime()).toBeGreaterThan(before);
  const bad = await sam.client.postStatValues({
    statValues: [
      { value: 1, tags: ['good:1'] },
      { value: 1, tags: ['bad'] },
    ],
  });
  expect(bad.status?.code).toBe(40004);
  expect(await ask({ tags: ['good:1'] })).toEqual([]);
  const query = await sam.client.postStatValuesAggregate({ statValueAggregateQueries: [{ tags: ['bad'] }] });
  expect(query.status?.code).toBe(40004);
  const rest = await sam.rest('POST', 'stats/values/aggregate', {
    stat_value_aggregate_queries: [{ tag_groups: ['a:b'] }],
  });
  expect([rest.http, rest.json.status.code]).toEqual([400, 40004]);
});
