import { beforeAll, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Json, type Person, signedIn } from '#testing/people.ts';

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(alice, ['one']);
});

const label = (id: string, value = 1) => ({ concepts: [{ id, value }] });

async function wholeHistory(path: string, perPage = 2): Promise<Json[]> {
  const events: Json[] = [];
  for (let after = ''; ; ) {
    const { http, json } = await alice.rest('GET', `${path}/history?per_page=${perPage}${after}`);
    expect(http).toBe(200);
    events.push(...json.events);
    if (!json.next) return events;
    after = `&after=${json.next}`;
  }
}

test('the history of an annotation says who changed what, when, and what was before', async () => {
  const carol = await signedIn('carol', { app: false });
  await alice.client.postAnnotations({ annotations: [{ id: 'a', inputId: 'one', data: label('cat') }] });
  await alice.client.patchAnnotations({
    action: 'overwrite',
    annotations: [{ id: 'a', inputId: 'one', data: label('dog') }],
  });
  await alice.client.patchAnnotationsStatus({
    userIds: [alice.userId],
    statusCode: 24151,
    action: 'overwrite',
  });
  await alice.client.deleteAnnotation({ inputId: 'one', annotationId: 'a' });
  await alice.client.postAnnotations({
    annotations: [
      {
        id: 'a',
        inputId: 'one',
        data: label('hen'),
        worker: { worker: { case: 'user', value: { id: carol.userId } } },
      },
    ],
  });
  const events = await wholeHistory('inputs/one/annotations/a');
  expect(events.map(({ event }) => event)).toEqual(['created', 'deleted', 'changed', 'changed', 'created']);
  const said = ({ before, after }: Json) => [before, after].map((state) => state?.data.concepts[0].id);
  expect(events.map(said)).toEqual([
    [undefined, 'hen'],
    ['dog', undefined],
    ['dog', 'dog'],
    ['cat', 'dog'],
    [undefined, 'cat'],
  ]);
  expect(events[2].after.status.code).toBe(24151);
  expect(new Set(events.map(({ user_id }) => user_id))).toEqual(new Set([alice.userId]));
  expect(events[0].after.user_id).toBe(carol.userId);
  const times = events.map(({ at }) => at);
  expect(times).toEqual([...times].sort().reverse());
});

test('an input knows what happened to its annotations and to its places in datasets', async () => {
  await uploadPictures(alice, ['two']);
  await alice.client.postDatasets({ datasets: [{ id: 'set' }] });
  await alice.client.postDatasetInputs({ datasetId: 'set', datasetInputs: [{ input: { id: 'two' } }] });
  await alice.client.patchInputs({ action: 'merge', inputs: [{ id: 'two', data: label('cat') }] });
  await alice.client.deleteDatasetInputs({ datasetId: 'set', inputIds: ['two'] });
  const events = await wholeHistory('inputs/two', 1);
  expect(events.map(({ event, dataset_id }) => [event, dataset_id])).toEqual([
    ['removed_from_dataset', 'set'],
    ['changed', undefined],
    ['added_to_dataset', 'set'],
    ['created', undefined],
  ]);
  expect(events[1].after.data.concepts[0].id).toBe('cat');
  expect(events.every(({ user_id }) => user_id === alice.userId)).toBe(true);
});

test('history is for those who may list annotations, and only of what there is', async () => {
  const bob = await signedIn('bob');
  const path = `/v2/users/${alice.userId}/apps/${alice.appId}/inputs/one/history`;
  expect((await bob.rest('GET', path)).http).toBe(404);
  expect((await alice.rest('GET', path, undefined, { authorization: '' })).http).toBe(401);
  expect((await alice.rest('GET', 'inputs/none/history')).json.status.code).toBe(11101);
  expect((await alice.rest('GET', 'inputs/one/annotations/none/history')).json.status.code).toBe(11101);
  expect((await alice.rest('GET', 'inputs/one/history?after=x')).json.status.code).toBe(11102);
  const { keys } = await alice.client.postKeys({
    keys: [
      { description: 'inputs', scopes: ['Inputs_Get'], apps: [{ id: alice.appId, userId: alice.userId }] },
    ],
  });
  const narrow = await alice.rest('GET', path, undefined, { authorization: `Key ${keys[0]?.id}` });
  expect([narrow.http, narrow.json.status.code]).toEqual([403, 11007]);
});
