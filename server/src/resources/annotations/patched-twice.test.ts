import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Json, type Person, signedIn } from '#testing/people.ts';

// A patch that says what is there already is a success that leaves no trace: clients send again what they got no
// answer for, and the history says what changed, not what was sent.

let ruth: Person;

beforeAll(async () => {
  ruth = await signedIn('ruth');
  await uploadPictures(ruth, ['pic']);
});

const box = (right: number) => ({
  region_info: { bounding_box: { top_row: 0.1, left_col: 0.1, bottom_row: 0.3, right_col: right } },
  data: { concepts: [{ id: 'cat', value: 0.7 }] },
});

const eventsOf = async (path: string): Promise<number> =>
  (await ruth.rest('GET', `${path}/history?per_page=100`)).json.events.length;

const revision = async () => (await ruth.client.getApp({})).app?.extraInfo?.searchRevisionMarker;

async function sentTwice(
  history: string,
  send: () => Promise<{ http: number; json: Json }>,
  look: () => Promise<Json>,
): Promise<{ first: number; second: number }> {
  const before = await eventsOf(history);
  expect((await send()).http).toBe(200);
  const [shown, known, marker] = [await look(), await eventsOf(history), await revision()];
  await sleep(5);
  expect((await send()).http).toBe(200);
  expect(await look()).toEqual(shown);
  expect(await revision()).toBe(marker);
  return { first: known - before, second: (await eventsOf(history)) - known };
}

const once = { first: 1, second: 0 };

test.each<[string, string, Json]>([
  [
    'merge of labels, metadata and a place',
    'merge',
    {
      concepts: [
        { id: 'cat', value: 0.3 },
        { id: 'dog', value: 1 },
      ],
      metadata: { b: { d: 1.1, c: [{ id: 'x', n: 1 }] }, a: true },
      geo: { geo_point: { longitude: 13.4, latitude: 52.5 } },
    },
  ],
  ['remove of a label and a key', 'remove', { concepts: [{ id: 'dog' }], metadata: { a: true } }],
  ['overwrite', 'overwrite', { concepts: [{ id: 'hen', value: 0.1 }], metadata: { z: 1, y: { x: 'w' } } }],
])('PatchInputs sent twice, %s: one change', async (_, action, data) => {
  const body = { action, inputs: [{ id: 'pic', data }] };
  const look = async () => (await ruth.rest('GET', 'inputs/pic')).json.input;
  expect(await sentTwice('inputs/pic', () => ruth.rest('PATCH', 'inputs', body), look)).toEqual(once);
});

test('metadata with its keys in another order is the same metadata', async () => {
  const patch = (metadata: Json) =>
    ruth.rest('PATCH', 'inputs', { action: 'overwrite', inputs: [{ id: 'pic', data: { metadata } }] });
  await patch({ a: 1, b: { c: 2, d: 3 } });
  const before = await eventsOf('inputs/pic');
  await patch({ b: { d: 3, c: 2 }, a: 1 });
  expect(await eventsOf('inputs/pic')).toBe(before);
});

test.each<[string, string, Json]>([
  ['merge of a box', 'merge', { data: { regions: [box(0.7)] } }],
  [
    'merge of text, labels and state',
    'merge',
    {
      data: { text: { raw: 'seen' }, concepts: [{ id: 'dog', value: 0.2 }], metadata: { n: 0.1 } },
      status: { code: 24151 },
      task_id: 'task',
      annotation_info: { by: 'hand', at: { x: 1 } },
    },
  ],
  ['merge of the state alone', 'merge', { status: { code: 24157 } }],
  ['remove of a label', 'remove', { data: { concepts: [{ id: 'dog' }] } }],
  [
    'remove of a label inside the box',
    'remove',
    { data: { regions: [{ data: { concepts: [{ id: 'cat' }] } }] } },
  ],
  ['overwrite with a box without an id', 'overwrite', { data: { regions: [box(0.9)] } }],
])('PatchAnnotations sent twice, %s: one change', async (_, action, patch) => {
  const known = (await ruth.rest('GET', 'inputs/pic/annotations/a')).json.annotation;
  if (!known) {
    const made = { id: 'a', input_id: 'pic', data: { regions: [box(0.5)] } };
    expect((await ruth.rest('POST', 'annotations', { annotations: [made] })).http).toBe(200);
  }
  const body = { action, annotations: [{ id: 'a', input_id: 'pic', ...patch }] };
  const look = async () => (await ruth.rest('GET', 'inputs/pic/annotations/a')).json.annotation;
  const send = () => ruth.rest('PATCH', 'annotations', body);
  expect(await sentTwice('inputs/pic/annotations/a', send, look)).toEqual(once);
});

test('of many patched at once, only those that change are written', async () => {
  await uploadPictures(ruth, ['same', 'other']);
  const label = (id: string, value: number) => ({ id, data: { concepts: [{ id: 'x', value }] } });
  await ruth.client.patchInputs({ action: 'merge', inputs: [label('same', 1), label('other', 1)] });
  const before = [await eventsOf('inputs/same'), await eventsOf('inputs/other')] as const;
  const reply = await ruth.client.patchInputs({
    action: 'merge',
    inputs: [label('same', 1), label('other', 0)],
  });
  expect(reply.inputs.map(({ status }) => status?.code)).toEqual([30200, 30200]);
  expect([await eventsOf('inputs/same'), await eventsOf('inputs/other')]).toEqual([before[0], before[1] + 1]);
});
