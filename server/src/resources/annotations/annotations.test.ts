import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

const box = (topRow: number, leftCol: number, bottomRow: number, rightCol: number) => ({
  boundingBox: { topRow, leftCol, bottomRow, rightCol },
});
const boxed = (conceptId: string) => ({
  regions: [{ regionInfo: box(0.1, 0.2, 0.5, 0.6), data: { concepts: [{ id: conceptId, value: 1 }] } }],
});
type DataInit = MessageInitShape<typeof DataSchema>;
const codes = (reply: { annotations: { status?: { code: number } }[] }) =>
  reply.annotations.map((one) => one.status?.code);

/** A picture, and then so much that nobody looks at. */
const largeMask = Buffer.concat([tinyPng(9), Buffer.alloc(4 * 1024 * 1024 - 1 - tinyPng(9).length)]);

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(alice, ['one', 'two', 'three']);
});

describe('posting', () => {
  test.each([
    ['a text', { text: { raw: 'naïve 🐈 cat' } }],
    ['a text beside a picture', { image: { base64: tinyPng(3) }, text: { raw: 'naïve 🐈 cat' } }],
  ])('a span or token lies within %s, counted as char_count counts', async (_title, data) => {
    const bob = await signedIn('bob');
    await bob.client.postInputs({ inputs: [{ id: 'words', data }] });
    for (let code = 0; code !== 30000; await sleep(50))
      code = (await bob.client.getInput({ inputId: 'words' })).input?.status?.code ?? 0;
    const post = (kind: 'span' | 'token', charEnd: number) => ({
      inputId: 'words',
      data: { regions: [{ regionInfo: { [kind]: { charStart: 8, charEnd } } }] },
    });
    const annotations = [post('span', 11), post('span', 12), post('token', 11), post('token', 99)];
    const reply = await bob.client.postAnnotations({ annotations });
    expect(codes(reply)).toEqual([24150, 24155, 24150, 24155]);
    expect(reply.annotations[1]?.status?.details).toMatch(/char_end is 12; the text has 11 characters/);
    const { id } = reply.annotations[0] as { id: string };
    const moved = { action: 'merge', annotations: [{ ...post('span', 40), id }] };
    expect(codes(await bob.client.patchAnnotations(moved))).toEqual([24155]);
  });

  test('a box, a polygon, a point, a mask and a span come back as they were sent, each region with an id', async () => {
    const infos = [
      box(0.1, 0.2, 0.5, 0.6),
      {
        polygon: {
          points: [
            { row: 0.1, col: 0.1 },
            { row: 0.1, col: 0.5 },
            { row: 0.5, col: 0.5 },
          ],
        },
      },
      { point: { row: 0.25, col: 0.75 } },
      { mask: { image: { base64: tinyPng(7) } } },
      { span: { charStart: 1, charEnd: 4, rawText: 'cat' } },
    ];
    const reply = await alice.client.postAnnotations({
      annotations: infos.map((regionInfo) => ({ inputId: 'one', data: { regions: [{ regionInfo }] } })),
    });
    expect(reply.status?.code).toBe(10000);
    for (const [i, annotation] of reply.annotations.entries()) {
      const got = await alice.client.getAnnotation({ inputId: 'one', annotationId: annotation.id });
      const region = got.annotation?.data?.regions[0];
      expect(region?.id).toMatch(/^[0-9a-f]{32}$/);
      expect(
        Object.keys(infos[i] as object).every((kind) => region?.regionInfo?.[kind as 'mask'] !== undefined),
      ).toBe(true);
      expect(got.annotation).toMatchObject({
        trusted: true,
        inputLevel: false,
        userId: alice.userId,
        status: { code: 24150 },
      });
      expect(got.annotation?.worker?.worker).toMatchObject({ case: 'user', value: { id: alice.userId } });
    }
    const masked = await alice.client.getAnnotation({
      inputId: 'one',
      annotationId: reply.annotations[3]?.id,
    });
    expect(Buffer.from(masked.annotation?.data?.regions[0]?.regionInfo?.mask?.image?.base64 ?? [])).toEqual(
      Buffer.from(tinyPng(7)),
    );
  });

  test.each<[string, DataInit]>([
    [
      'a token',
      { regions: [{ id: 'r', regionInfo: { token: { charStart: 1, charEnd: 4, rawText: 'cat' } } }] },
    ],
    [
      'key points',
      { regions: [{ id: 'r', regionInfo: { keypointLocations: [{ row: 0.5, col: 0.25, visibility: 2 }] } }] },
    ],
    ['a track', { tracks: [{ id: 't', quality: 0.5, timeInfo: { numFrames: 3 } }] }],
    ['text', { text: { raw: 'a grey cat' } }],
    [
      'metadata and a place',
      { metadata: { a: { b: [1, 'x', null] } }, geo: { geoPoint: { latitude: 54.5, longitude: 8.25 } } },
    ],
  ])('%s is kept as it was sent', async (_title, init) => {
    // As it is on the wire: coordinates are single-precision.
    const sent = fromBinary(DataSchema, toBinary(DataSchema, create(DataSchema, init)));
    const reply = await alice.client.postAnnotations({ annotations: [{ inputId: 'one', data: sent }] });
    expect(reply.status?.code).toBe(10000);
    const got = await alice.client.getAnnotation({ inputId: 'one', annotationId: reply.annotations[0]?.id });
    const named = JSON.parse(
      JSON.stringify(toJson(DataSchema, sent)).replaceAll(
        '"id":"cat"',
        `"id":"cat","name":"cat","appId":"${alice.appId}"`,
      ),
    );
    expect(toJson(DataSchema, got.annotation?.data ?? create(DataSchema))).toEqual(named);
  });

  test('a label makes its concept, by id or by name', async () => {
    const concepts = [
      { id: 'heron', value: 1 },
      { name: 'grey heron', value: 1 },
    ];
    const reply = await alice.client.postAnnotations({
      annotations: [{ inputId: 'one', data: { concepts } }],
    });
    expect(reply.annotations[0]?.data?.concepts).toMatchObject([
      { id: 'heron', name: 'heron', value: 1, appId: alice.appId },
      { id: 'grey heron', name: 'grey heron', value: 1 },
    ]);
    const concept = await alice.client.getConcept({ conceptId: 'grey heron' });
    expect(concept.concept?.name).toBe('grey heron');
  });

  test('a name finds the concept that has it', async () => {
    await alice.client.postConcepts({ concepts: [{ id: 'id-stork', name: 'white stork' }] });
    const reply = await alice.client.postAnnotations({
      annotations: [{ inputId: 'one', data: { concepts: [{ name: 'white stork', value: 1 }] } }],
    });
    expect(reply.annotations[0]?.data?.concepts[0]).toMatchObject({ id: 'id-stork', name: 'white stork' });
  });

  test('one bad annotation does not sink its neighbours', async () => {
    const reply = await alice.client.postAnnotations({
      annotations: [
        { inputId: 'one', data: boxed('cat') },
        { inputId: 'nowhere', data: boxed('cat') },
        { inputId: 'one', data: { regions: [{ regionInfo: box(0, 0, 2, 1) }] } },
        { inputId: 'one', data: { regions: [{}, {}] } },
        { inputId: 'one' },
      ],
    });
    expect(reply.status?.code).toBe(10010);
    expect(codes(reply)).toEqual([24150, 24155, 24155, 24155, 24155]);
    expect(reply.annotations[1]?.status?.details).toContain("no input 'nowhere'");
  });

  test('an id that the input has already is refused, on another input it is free', async () => {
    const wanted = { id: 'mine', data: boxed('cat') };
    const first = await alice.client.postAnnotations({
      annotations: [
        { ...wanted, inputId: 'one' },
        { ...wanted, inputId: 'one' },
        { ...wanted, inputId: 'two' },
      ],
    });
    expect(codes(first)).toEqual([24150, 40010, 24150]);
    const again = await alice.client.postAnnotations({ annotations: [{ ...wanted, inputId: 'one' }] });
    expect(again.status?.code).toBe(10020);
    expect(codes(again)).toEqual([40010]);
  });

  test('an empty batch and one of 129 are refused', async () => {
    expect((await alice.client.postAnnotations({ annotations: [] })).status?.code).toBe(11102);
    const annotations = Array.from({ length: 129 }, () => ({ inputId: 'one', data: boxed('cat') }));
    expect((await alice.client.postAnnotations({ annotations })).status?.code).toBe(11102);
  });

  test('in JSON a concept without a value is a positive label, over gRPC a negative one', async () => {
    const rest = await alice.rest('POST', 'annotations', {
      annotations: [{ input_id: 'two', data: { concepts: [{ id: 'json-label' }] } }],
    });
    expect(rest.http).toBe(200);
    expect(rest.json.annotations[0].data.concepts[0]).toMatchObject({ id: 'json-label', value: 1 });
    const grpc = await alice.client.postAnnotations({
      annotations: [{ inputId: 'two', data: { concepts: [{ id: 'grpc-label' }] } }],
    });
    expect(grpc.annotations[0]?.data?.concepts[0]?.value).toBe(0);
  });

  test('a task, a status and a note about the annotation are kept', async () => {
    const reply = await alice.client.postAnnotations({
      annotations: [
        {
          inputId: 'two',
          data: boxed('cat'),
          status: { code: 24151 },
          annotationInfo: { task_id: 't1', x: 1 },
        },
      ],
    });
    expect(reply.annotations[0]).toMatchObject({
      taskId: 't1',
      status: { code: 24151 },
      annotationInfo: { x: 1 },
    });
    const bad = await alice.client.postAnnotations({
      annotations: [{ inputId: 'two', data: boxed('cat'), status: { code: 10000 } }],
    });
    expect(codes(bad)).toEqual([24155]);
  });

  test('a key without Concepts_Add may use the concepts there are, but make none', async () => {
    const bob = await signedIn('bob');
    await uploadPictures(bob, ['p']);
    await bob.client.postConcepts({ concepts: [{ id: 'known' }] });
    const made = await bob.client.postKeys({
      keys: [
        {
          description: 'labels only',
          scopes: [
            'Apps_Get',
            'Inputs_Get',
            'Annotations_Add',
            'Annotations_Get',
            'Concepts_Get',
            'Models_Get',
            'Workflows_Get',
          ],
          apps: [{ id: bob.appId, userId: bob.userId }],
        },
      ],
    });
    const labeller = bob.as({ pat: made.keys[0]?.id ?? '' });
    const known = await labeller.postAnnotations({ annotations: [{ inputId: 'p', data: boxed('known') }] });
    expect(known.status?.code).toBe(10000);
    const fresh = await labeller.postAnnotations({ annotations: [{ inputId: 'p', data: boxed('fresh') }] });
    expect(fresh.status?.code).toBe(11007);
    expect((await bob.client.getConcept({ conceptId: 'fresh' })).status?.code).toBe(11101);
  });
});

describe('workers', () => {
  test('the owner of the app may annotate in the name of another user', async () => {
    const carol = await signedIn('carol', { app: false });
    const worker = { worker: { case: 'user' as const, value: { id: carol.userId } } };
    const reply = await alice.client.postAnnotations({
      annotations: [{ inputId: 'two', data: boxed('cat'), worker }],
    });
    expect(reply.annotations[0]).toMatchObject({ userId: carol.userId, trusted: true });
    const listed = await alice.client.listAnnotations({ userIds: [carol.userId] });
    expect(listed.annotations.map(({ id }) => id)).toEqual([reply.annotations[0]?.id]);
    const workers = await alice.client.listAnnotationWorkers({});
    const ids = workers.workers.map(({ worker: one }) => (one.case === 'user' ? one.value.id : ''));
    expect(ids.sort()).toEqual([alice.userId, carol.userId].sort());
  });

  test('what a model says is not trusted, and listed only when asked for', async () => {
    const gina = await signedIn('gina');
    await uploadPictures(gina, ['p']);
    const main = gina.as({ userId: 'clarifai', appId: 'main' });
    const model = (await main.listModels({ perPage: 1 })).models[0];
    const versionId = model?.modelVersion?.id as string;
    const worker = {
      worker: { case: 'model' as const, value: { id: model?.id, modelVersion: { id: versionId } } },
    };
    const reply = await gina.client.postAnnotations({
      annotations: [{ inputId: 'p', data: boxed('cat'), worker }],
    });
    expect(reply.annotations[0]).toMatchObject({ trusted: false, userId: '', modelVersionId: versionId });
    expect(reply.annotations[0]?.worker?.worker).toMatchObject({
      case: 'model',
      value: { id: model?.id, appId: 'main', userId: 'clarifai', modelVersion: { id: versionId } },
    });
    const count = async (filter: Parameters<typeof gina.client.listAnnotations>[0]) =>
      (await gina.client.listAnnotations(filter)).annotations.length;
    expect(await count({})).toBe(1);
    expect(await count({ listAllAnnotations: true })).toBe(2);
    expect(await count({ modelVersionIds: [versionId] })).toBe(1);
    expect(await count({ modelVersionIds: [versionId], userIds: ['me'] })).toBe(2);
    expect((await gina.client.listAnnotationWorkers({})).workers).toHaveLength(2);
    expect((await gina.client.listAnnotationWorkers({ trustedOnly: true })).workers).toHaveLength(1);
    const counts = await gina.client.getConceptCounts({});
    expect(counts.conceptCounts[0]?.conceptTypeCount).toMatchObject({ positive: 0, negative: 0 });
  });

  test('a collaborator annotates in their own name only', async () => {
    const helga = await signedIn('helga', { app: false });
    const scopes = [
      'Apps_Get',
      'Inputs_Get',
      'Annotations_Add',
      'Annotations_Get',
      'Concepts_Get',
      'Models_Get',
      'Workflows_Get',
    ];
    const shared = await alice.client.postCollaborators({
      collaborators: [{ user: { id: helga.userId }, scopes }],
    });
    expect(shared.status?.code).toBe(10000);
    await alice.client.postConcepts({ concepts: [{ id: 'shared' }] });
    const here = helga.as({ userId: alice.userId, appId: alice.appId });
    const inTheNameOf = (id: string) => ({ worker: { case: 'user' as const, value: { id } } });
    const reply = await here.postAnnotations({
      annotations: [
        { inputId: 'two', data: boxed('shared') },
        { inputId: 'two', data: boxed('shared'), worker: inTheNameOf(alice.userId) },
      ],
    });
    expect(codes(reply)).toEqual([24150, 24156]);
    expect(reply.annotations[0]?.userId).toBe(helga.userId);
  });

  test('an unknown user or model version is refused', async () => {
    const user = { worker: { case: 'user' as const, value: { id: 'nobody-at-all' } } };
    const model = {
      worker: { case: 'model' as const, value: { id: 'm', modelVersion: { id: 'f'.repeat(32) } } },
    };
    const reply = await alice.client.postAnnotations({
      annotations: [
        { inputId: 'two', data: boxed('cat'), worker: user },
        { inputId: 'two', data: boxed('cat'), worker: model },
      ],
    });
    expect(codes(reply)).toEqual([24155, 24155]);
  });
});

describe('listing', () => {
  let dora: Person;
  let posted: string[];

  beforeAll(async () => {
    dora = await signedIn('dora');
    await uploadPictures(dora, ['a', 'b']);
    const reply = await dora.client.postAnnotations({
      annotations: ['a', 'a', 'b'].map((inputId) => ({
        inputId,
        data: boxed('cat'),
        taskId: inputId === 'b' ? 'task' : '',
      })),
    });
    posted = reply.annotations.map(({ id }) => id);
  });

  test('newest first, and the annotation of each input as a whole is listed even when it is empty', async () => {
    const { annotations } = await dora.client.listAnnotations({});
    expect(annotations.map(({ id }) => id).slice(0, 3)).toEqual([...posted].reverse());
    expect(annotations.map(({ inputLevel }) => inputLevel)).toEqual([false, false, false, true, true]);
    expect(annotations[4]?.id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('by inputs, by pairs, by task and by status', async () => {
    const of = async (filter: Parameters<typeof dora.client.listAnnotations>[0]) =>
      (await dora.client.listAnnotations(filter)).annotations.length;
    expect(await of({ inputIds: ['a'] })).toBe(3);
    expect(await of({ inputIds: ['a', 'b'] })).toBe(5);
    expect(await of({ inputIds: ['nowhere'] })).toBe(0);
    expect(await of({ inputIds: ['a'], ids: [posted[0] as string] })).toBe(1);
    expect(await of({ inputIds: ['b'], ids: [posted[0] as string] })).toBe(0);
    expect(await of({ taskId: 'task' })).toBe(1);
    expect(await of({ statuses: [{ code: 24151 }] })).toBe(0);
    expect(await of({ userIds: ['me'] })).toBe(5);
  });

  test('ids that do not pair up with input ids are refused', async () => {
    const reply = await dora.client.listAnnotations({ inputIds: ['a', 'b'], ids: ['x'] });
    expect(reply.status?.code).toBe(24155);
  });

  test('pages never overlap and the page past the end is empty', async () => {
    const seen: string[] = [];
    for (const page of [1, 2, 3, 4]) {
      const { status, annotations } = await dora.client.listAnnotations({ page, perPage: 2 });
      expect(status?.code).toBe(10000);
      seen.push(...annotations.map(({ id }) => id));
    }
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(5);
  });

  test('another user sees none of it', async () => {
    const eve = await signedIn('eve');
    const reply = await eve.as({ userId: dora.userId, appId: dora.appId }).listAnnotations({});
    expect(reply.status?.code).not.toBe(10000);
    expect(reply.annotations).toEqual([]);
  });
});

describe('patching', () => {
  const post = async (data: ReturnType<typeof boxed>) =>
    (await alice.client.postAnnotations({ annotations: [{ inputId: 'three', data }] })).annotations[0]
      ?.id as string;

  test('merging a box without a region id leaves one region, with the new box', async () => {
    const id = await post(boxed('cat'));
    const reply = await alice.client.patchAnnotations({
      action: 'merge',
      annotations: [{ id, inputId: 'three', data: { regions: [{ regionInfo: box(0.3, 0.3, 0.4, 0.4) }] } }],
    });
    expect(reply.status?.code).toBe(10000);
    const { regions } = reply.annotations[0]?.data ?? { regions: [] };
    expect(regions).toHaveLength(1);
    expect(regions[0]?.regionInfo?.boundingBox?.topRow).toBeCloseTo(0.3);
    expect(regions[0]?.data?.concepts).toMatchObject([{ id: 'cat' }]);
  });

  test('an empty list in JSON clears, and modified_at moves while created_at stays', async () => {
    const made = await alice.rest('POST', 'annotations', {
      annotations: [{ input_id: 'three', data: { concepts: [{ id: 'cat' }] } }],
    });
    const before = made.json.annotations[0];
    await sleep(5);
    const patched = await alice.rest('PATCH', 'annotations', {
      action: 'merge',
      annotations: [{ id: before.id, input_id: 'three', data: { concepts: [], metadata: { seen: true } } }],
    });
    const after = patched.json.annotations[0];
    expect(after.data.concepts).toBeUndefined();
    expect(after.data.metadata).toEqual({ seen: true });
    expect(after.created_at).toBe(before.created_at);
    expect(after.modified_at > before.modified_at).toBe(true);
  });

  test('what is left empty by a removal is deleted on demand, but never the annotation of the input as a whole', async () => {
    const id = (
      await alice.client.postAnnotations({
        annotations: [{ inputId: 'three', data: { concepts: [{ id: 'cat', value: 1 }] } }],
      })
    ).annotations[0]?.id as string;
    const { annotations } = await alice.client.listAnnotations({ inputIds: ['three'] });
    const whole = annotations.find(({ inputLevel }) => inputLevel)?.id as string;
    const gone = { concepts: [{ id: 'cat' }] };
    const reply = await alice.client.patchAnnotations({
      action: 'remove',
      deleteIfEmptyData: true,
      annotations: [
        { id, inputId: 'three', data: gone },
        { id: whole, inputId: 'three', data: gone },
      ],
    });
    expect(reply.status?.code).toBe(10000);
    expect((await alice.client.getAnnotation({ inputId: 'three', annotationId: id })).status?.code).toBe(
      11101,
    );
    expect((await alice.client.getAnnotation({ inputId: 'three', annotationId: whole })).status?.code).toBe(
      10000,
    );
  });

  test('an unknown annotation or action, and a patch that ends badly, are refused with their own codes', async () => {
    const id = await post(boxed('cat'));
    const bad = { regions: [{ regionInfo: box(0.9, 0, 0.1, 1) }] };
    const reply = await alice.client.patchAnnotations({
      action: 'merge',
      annotations: [
        { id: 'nope', inputId: 'three', data: boxed('cat') },
        { id, inputId: 'three', data: bad },
      ],
    });
    expect(reply.status).toMatchObject({ code: 10020, details: expect.stringContaining('nope') });
    expect(codes(reply)).toEqual([11101, 24155]);
    const unknown = await alice.client.patchAnnotations({
      action: 'delete',
      annotations: [{ id, inputId: 'three' }],
    });
    expect(unknown.status).toMatchObject({
      code: 11102,
      details: expect.stringContaining("Unrecognized action 'delete'"),
    });
  });

  test('the labels of the input as a whole show in GetInput', async () => {
    const { annotations } = await alice.client.listAnnotations({ inputIds: ['three'] });
    const whole = annotations.find(({ inputLevel }) => inputLevel)?.id as string;
    await alice.client.patchAnnotations({
      action: 'overwrite',
      annotations: [{ id: whole, inputId: 'three', data: { concepts: [{ id: 'swan', value: 1 }] } }],
    });
    const { input } = await alice.client.getInput({ inputId: 'three' });
    expect(input?.data?.concepts).toMatchObject([{ id: 'swan', value: 1 }]);
  });

  test('statuses change by task and report how many did', async () => {
    const waiting = {
      inputId: 'three',
      data: boxed('cat'),
      taskId: 'review',
      status: { code: 24151 as const },
    };
    await alice.client.postAnnotations({ annotations: [waiting, waiting] });
    const path = 'task/review/annotations/status';
    const reply = await alice.rest('PATCH', path, {
      status_code: 24150,
      status_codes: [24151],
      action: 'overwrite',
    });
    expect(reply.json).toMatchObject({ status: { code: 10000 }, updated_count: 2 });
    const listed = await alice.client.listAnnotations({ taskId: 'review', statuses: [{ code: 24150 }] });
    expect(listed.annotations).toHaveLength(2);
    expect((await alice.client.patchAnnotationsStatus({ statusCode: 24150 })).status?.code).toBe(24155);
  });
});

test('a page of masks that fits into no reply is refused with words; a smaller one is answered', async () => {
  const ida = await signedIn('ida');
  await uploadPictures(ida, ['p']);
  const data = () => ({
    regions: [{ regionInfo: { mask: { image: { base64: largeMask } } } }],
  });
  for (let sent = 0; sent < 9; sent += 3) {
    const annotations = [1, 2, 3].map(() => ({ inputId: 'p', data: data() }));
    expect((await ida.client.postAnnotations({ annotations })).status?.code).toBe(10000);
  }
  const all = await ida.client.listAnnotations({});
  expect(all.status).toMatchObject({ code: 40033, details: expect.stringContaining('per_page') });
  expect((await ida.client.listAnnotations({ perPage: 4 })).annotations).toHaveLength(4);
});

test('what was stored is acknowledged, however large', async () => {
  const joe = await signedIn('joe');
  await uploadPictures(joe, ['p']);
  const base64 = largeMask;
  const annotations = Array.from({ length: 9 }, (_, i) => ({
    id: `m${i}`,
    inputId: 'p',
    data: { regions: [{ regionInfo: { mask: { image: { base64 } } } }] },
  }));
  const reply = await joe.client.postAnnotations({ annotations });
  expect(reply.status?.code, reply.status?.details).toBe(10000);
  expect(reply.annotations.map(({ id, status }) => [id, status?.code])).toEqual(
    annotations.map(({ id }) => [id, 24150]),
  );
});

describe('deleting', () => {
  let fay: Person;
  const count = async (inputId: string) =>
    (await fay.client.listAnnotations({ inputIds: [inputId] })).annotations.length;

  beforeAll(async () => {
    fay = await signedIn('fay');
    await uploadPictures(fay, ['a', 'b']);
    const annotations = ['x', 'y', 'z'].flatMap((id) =>
      ['a', 'b'].map((inputId) => ({ id, inputId, data: boxed('cat') })),
    );
    await fay.client.postAnnotations({ annotations });
  });

  test('one by its ids, and a second time it is missing', async () => {
    expect((await fay.client.deleteAnnotation({ inputId: 'a', annotationId: 'x' })).status?.code).toBe(10000);
    expect((await fay.client.deleteAnnotation({ inputId: 'a', annotationId: 'x' })).status?.code).toBe(11101);
    expect(await count('a')).toBe(3);
  });

  test('pairs delete exactly those, and unknown ones are ignored', async () => {
    const reply = await fay.client.deleteAnnotations({
      inputIds: ['a', 'b', 'b'],
      ids: ['y', 'x', 'unknown'],
    });
    expect(reply.status?.code).toBe(10000);
    expect([await count('a'), await count('b')]).toEqual([2, 3]);
  });

  test('inputs alone lose all but the annotation of the input as a whole', async () => {
    const reply = await fay.rest('DELETE', 'inputs/annotations', { input_ids: ['b'] });
    expect(reply.json.status.code).toBe(10000);
    expect([await count('a'), await count('b')]).toEqual([2, 1]);
  });

  test('without any id nothing happens, and ids without inputs are refused', async () => {
    expect((await fay.client.deleteAnnotations({})).status?.code).toBe(10000);
    expect((await fay.client.deleteAnnotations({ ids: ['z'] })).status?.code).toBe(24155);
    expect(await count('a')).toBe(2);
  });
});
