import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { codesOf, imageInput, inputOf, picture, settled, textInput } from './inputs.testing.ts';

const png = await picture(11, { format: 'png' });

test('pages of a long list join without gaps or repeats, also after deletions, and end empty', async () => {
  const alice = await signedIn('alice');
  const ids = Array.from({ length: 1152 }, (_, i) => `n${String(i).padStart(4, '0')}`);
  for (let at = 0; at < ids.length; at += 128) {
    await alice.client.postInputs({ inputs: ids.slice(at, at + 128).map((id) => textInput(id, id)) });
  }
  // Every third one, and one run that empties a stretch of neighbours.
  const gone = ids.filter((_, i) => i % 3 === 0 || (i > 200 && i < 500));
  expect((await alice.client.deleteInputs({ ids: gone })).status?.code).toBe(10000);
  const left = ids.filter((id) => !gone.includes(id));
  const newestFirst = [...left].reverse();
  for (const perPage of [7, 128, 1000]) {
    const pages: string[][] = [];
    for (let page = 1; page < 200; page++) {
      const { inputs } = await alice.client.listInputs({ page, perPage });
      if (inputs.length === 0) break;
      pages.push(inputs.map(({ id }) => id));
    }
    expect(pages.flat()).toEqual(newestFirst);
    expect(pages.slice(0, -1).every((one) => one.length === perPage)).toBe(true);
  }
  expect((await alice.client.listInputs({ page: 4_000_000_000, perPage: 1000 })).status?.code).toBe(10000);
  await settled(alice);
  const processed = await alice.client.listInputs({ perPage: 100, page: 3, status: { code: 30000 } });
  expect(processed.inputs.map(({ id }) => id)).toEqual(newestFirst.slice(200, 300));
  expect((await alice.client.listInputs({ status: { code: 30002 } })).inputs).toEqual([]);
  expect((await alice.client.getInputCount({})).counts?.processed).toBe(left.length);

  const streamed: string[] = [];
  for (let lastId = ''; ; ) {
    const { inputs } = await alice.client.streamInputs({ lastId, perPage: 300 });
    if (inputs.length === 0) break;
    streamed.push(...inputs.map(({ id }) => id));
    lastId = inputs.at(-1)?.id as string;
  }
  expect(streamed).toEqual(left);
}, 90_000);

test('a stream goes on behind an id, forwards or backwards, by time or by id', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({ inputs: ['m', 'b', 'z', 'a'].map((id) => textInput(id, id)) });
  const stream = async (asked: object) => (await alice.client.streamInputs(asked)).inputs.map(({ id }) => id);
  expect(await stream({})).toEqual(['m', 'b', 'z', 'a']);
  expect(await stream({ perPage: 2 })).toEqual(['m', 'b']);
  expect(await stream({ lastId: 'b' })).toEqual(['z', 'a']);
  expect(await stream({ descending: true, lastId: 'z' })).toEqual(['b', 'm']);
  expect(await stream({ orderById: true, lastId: 'b' })).toEqual(['m', 'z']);
  expect(await stream({ orderById: true, descending: true, lastId: 'm' })).toEqual(['b', 'a']);
  expect(await stream({ lastId: 'a' })).toEqual([]);
  expect((await alice.client.streamInputs({ lastId: 'nobody' })).status?.code).toBe(11101);
  const { json } = await alice.rest('GET', 'inputs/stream?per_page=1&descending=True');
  expect(json.inputs.map(({ id }: { id: string }) => id)).toEqual(['a']);
});

test('a renamed concept is shown under its new name at once, in its own app alone', async () => {
  const people = [await signedIn('alice'), await signedIn('bob')] as const;
  const shownBy = async ({ client }: (typeof people)[number]) => {
    const [one, list, stream] = await Promise.all([
      client.getInput({ inputId: 'x' }),
      client.listInputs({}),
      client.streamInputs({}),
    ]);
    return [one.input, list.inputs[0], stream.inputs[0]].map((input) => input?.data?.concepts[0]?.name);
  };
  for (const { client } of people) {
    const concepts = [{ id: 'cat', name: 'Cat', value: 1 }];
    await client.postInputs({
      inputs: [{ ...textInput('x', 'x'), data: { ...textInput('x', 'x').data, concepts } }],
    });
  }
  const [alice, bob] = people;
  for (const name of ['Cat', 'Felis', 'Katze', 'Cat']) {
    const patched = await alice.client.patchConcepts({
      action: 'overwrite',
      concepts: [{ id: 'cat', name }],
    });
    expect(patched.status?.code).toBe(10000);
    expect(await shownBy(alice)).toEqual([name, name, name]);
    expect(await shownBy(alice)).toEqual([name, name, name]);
    expect(await shownBy(bob)).toEqual(['Cat', 'Cat', 'Cat']);
  }
});

test('a list by ids holds those that exist, newest first, and can be narrowed by status', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({
    inputs: [imageInput('good', png), imageInput('bad', Buffer.from('junk')), textInput('text', 'x')],
  });
  await settled(alice);
  const list = async (asked: object) => (await alice.client.listInputs(asked)).inputs.map(({ id }) => id);
  expect(await list({ ids: ['good', 'nobody', 'bad', 'text'] })).toEqual(['text', 'bad', 'good']);
  expect(await list({ ids: ['good', 'bad'], status: { code: 30000 } })).toEqual(['good']);
  expect(await list({ ids: ['good', 'bad', 'text'], perPage: 2, page: 2 })).toEqual(['good']);
  const { json } = await alice.rest('GET', 'inputs?status.code=30000&per_page=1&page=2');
  expect(json.inputs.map(({ id }: { id: string }) => id)).toEqual(['good']);
  expect((await alice.rest('GET', 'inputs?page=99')).json).toMatchObject({
    status: { code: 10000 },
    inputs: [],
  });
  expect((await alice.rest('GET', 'inputs/status')).json.counts).toMatchObject({
    processed: 2,
    to_process: 0,
    errors: 1,
    processing: 0,
  });
});

test('nobody sees, changes or deletes the inputs of another person', async () => {
  const alice = await signedIn('alice');
  const mallory = await signedIn('mallory');
  await alice.client.postInputs({ inputs: [textInput('secret', 'x')] });
  const intruder = alice.as({ pat: mallory.pat });
  expect((await intruder.getInput({ inputId: 'secret' })).status?.code).toBe(11101);
  expect((await intruder.listInputs({})).status?.code).toBe(11101);
  expect((await intruder.deleteInputs({ ids: ['secret'] })).status?.code).toBe(11101);
  expect((await mallory.client.deleteInputs({ ids: ['secret'] })).status?.code).toBe(10000);
  expect((await inputOf(alice, 'secret')).id).toBe('secret');
});

test('an empty list of ids deletes nothing, unknown ids are ignored, and a deleted input is gone', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({ inputs: [textInput('a', '1'), textInput('b', '2'), textInput('c', '3')] });
  expect((await alice.client.deleteInputs({ ids: [] })).status?.code).toBe(10000);
  expect((await alice.rest('DELETE', 'inputs', { ids: [] })).json.status.code).toBe(10000);
  expect((await alice.client.listInputs({})).inputs.length).toBe(3);
  expect((await alice.client.deleteInputs({ ids: ['a', 'nobody'] })).status?.code).toBe(10000);
  expect((await alice.client.deleteInput({ inputId: 'b' })).status?.code).toBe(10000);
  expect((await alice.client.getInput({ inputId: 'a' })).status).toMatchObject({
    code: 11101,
    description: 'Resource does not exist',
  });
  expect((await alice.rest('GET', 'inputs/b')).http).toBe(404);
  expect((await alice.client.listInputs({})).inputs.map(({ id }) => id)).toEqual(['c']);
  expect(codesOf(await alice.client.postInputs({ inputs: [textInput('a', 'again')] }))).toEqual([30001]);
});

test('a patch merges, overwrites and removes labels and metadata and leaves the picture alone', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({
    inputs: [
      {
        id: 'p',
        data: {
          image: { base64: png },
          concepts: [
            { id: 'cat', value: 1 },
            { id: 'dog', value: 1 },
          ],
          metadata: { a: 1 },
        },
      },
    ],
  });
  await settled(alice);
  const before = await inputOf(alice, 'p');
  const patch = (action: string, data: object) =>
    alice.rest('PATCH', 'inputs', { action, inputs: [{ id: 'p', data }] });
  const concepts = async () =>
    (await inputOf(alice, 'p')).data?.concepts.map(({ id, value }) => `${id}:${value}`);

  const merged = await patch('merge', {
    concepts: [{ id: 'dog', value: 0 }, { id: 'cow' }],
    metadata: { b: { c: 2 } },
  });
  expect([merged.json.status.code, merged.json.inputs[0].status.code]).toEqual([10000, 30200]);
  expect(await concepts()).toEqual(['cat:1', 'dog:0', 'cow:1']);
  expect((await inputOf(alice, 'p')).data?.metadata).toMatchObject({ a: 1, b: { c: 2 } });
  await patch('remove', { concepts: [{ id: 'cat' }], metadata: { a: true } });
  expect(await concepts()).toEqual(['dog:0', 'cow:1']);
  expect((await inputOf(alice, 'p')).data?.metadata).toEqual({ b: { c: 2 } });
  await patch('overwrite', { concepts: [{ id: 'hen' }] });
  const after = await inputOf(alice, 'p');
  expect(await concepts()).toEqual(['hen:1']);
  expect(after.data?.metadata).toBeUndefined();
  expect(after.data?.image).toEqual(before.data?.image);
  expect(after.createdAt).toEqual(before.createdAt);
  expect(after.modifiedAt).not.toEqual(before.modifiedAt);
});

test('one bad patch does not sink its neighbours', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({ inputs: [textInput('a', '1'), textInput('b', '2')] });
  const reply = await alice.client.patchInputs({
    action: 'merge',
    inputs: [
      { id: 'nobody', data: { concepts: [{ id: 'x', value: 1 }] } },
      { id: 'b', data: { concepts: [{ id: 'x', value: 9 }] } },
      { id: 'a', data: { concepts: [{ id: 'x', value: 1 }] } },
    ],
  });
  expect(reply.status?.code).toBe(10010);
  expect(codesOf(reply)).toEqual([11101, 24155, 30200]);
  expect((await inputOf(alice, 'a')).data?.concepts).toHaveLength(1);
  expect((await inputOf(alice, 'b')).data?.concepts).toHaveLength(0);
  const odd = await alice.client.patchInputs({ action: 'explode', inputs: [] });
  expect(odd.status?.details).toContain("Unrecognized action 'explode'");
});
