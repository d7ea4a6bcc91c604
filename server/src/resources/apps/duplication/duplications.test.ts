import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let dana: Person;
const everything = {
  copyInputs: true,
  copyConcepts: true,
  copyAnnotations: true,
  copyModels: true,
  copyWorkflows: true,
};

async function duplicate(wanted: object, who = dana) {
  const posted = await who.client.postAppDuplications({ appDuplications: [wanted] });
  expect(posted.status).toMatchObject({ code: 10000 });
  const id = posted.appDuplications[0]?.id ?? '';
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { appDuplication } = await who.client.getAppDuplication({
      userAppId: { userId: who.userId, appId: '' },
      appDuplicationId: id,
    });
    if (![25202, 25203].includes(appDuplication?.status?.code ?? 0) || Date.now() > deadline)
      return appDuplication;
    await sleep(30);
  }
}

const codeOf = async (wanted: object, who = dana.client) =>
  (await who.postAppDuplications({ appDuplications: [wanted] })).status?.code;

beforeAll(async () => {
  dana = await signedIn('dana', { workflow: 'General' });
  await uploadPictures(dana, ['a', 'b', 'c'], { a: [{ id: 'cat', value: 1 }], b: [{ id: 'cat', value: 0 }] });
  await dana.client.postConcepts({ concepts: [{ id: 'animal', name: 'Animal' }] });
  await dana.client.postConceptRelations({
    conceptId: 'cat',
    conceptRelations: [{ objectConcept: { id: 'animal' }, predicate: 'hyponym' }],
  });
  await dana.client.patchInputs({ action: 'merge', inputs: [{ id: 'a', data: { metadata: { n: 1 } } }] });
  const box = { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 0.5, rightCol: 0.5 } };
  await dana.client.postAnnotations({
    annotations: [{ id: 'box', inputId: 'a', data: { regions: [{ regionInfo: box }] } }],
  });
  await dana.client.postModels({ models: [{ id: 'own', modelTypeId: 'concept-threshold' }] });
  await dana.client.postModelVersions({ modelId: 'own' });
  const { model } = await dana.client.getModel({ modelId: 'own' });
  const nodes = [{ id: 'n', model: { id: 'own', modelVersion: { id: model?.modelVersion?.id ?? '' } } }];
  const flow = await dana.client.postWorkflows({ workflows: [{ id: 'flow', nodes }] });
  expect(flow.status).toMatchObject({ code: 10000 });
});

describe('app duplications', () => {
  test('everything is copied into a new app, media shared, and the job tells how far it came', async () => {
    const done = await duplicate({
      destinationApp: { id: `${dana.appId}-copy`, description: 'twin' },
      filter: everything,
    });
    expect(done).toMatchObject({
      status: { code: 25200 },
      destinationApp: { id: `${dana.appId}-copy`, userId: dana.userId },
      filter: everything,
    });
    expect(done?.progress.map(({ field, value }) => [field, value])).toEqual(
      ['concepts', 'models', 'workflows', 'inputs', 'annotations'].map((field) => [field, 100]),
    );
    const copy = dana.as({ appId: `${dana.appId}-copy` });
    expect((await copy.getApp({})).app).toMatchObject({
      description: 'twin',
      defaultWorkflow: { id: 'General' },
    });
    const inputs = (await copy.listInputs({})).inputs;
    expect(inputs.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c']);
    const a = inputs.find(({ id }) => id === 'a');
    expect(a).toMatchObject({
      status: { code: 30000 },
      data: { metadata: { n: 1 }, concepts: [{ id: 'cat', value: 1, appId: `${dana.appId}-copy` }] },
    });
    const { prefix, suffix } = a?.data?.image?.hosted ?? { prefix: '', suffix: '' };
    const media = await fetch(`${prefix}/orig/${suffix}`, { headers: { authorization: `Key ${dana.pat}` } });
    expect(Buffer.from(await media.arrayBuffer()).equals(Buffer.from(tinyPng(0)))).toBe(true);
    const annotations = (await copy.listAnnotations({ inputIds: ['a'] })).annotations;
    expect(annotations.map(({ inputLevel }) => inputLevel).sort()).toEqual([false, true]);
    expect(annotations.find(({ id }) => id === 'box')?.data?.regions).toHaveLength(1);
    expect((await copy.getConceptCounts({})).conceptCounts.find(({ id }) => id === 'cat')).toMatchObject({
      conceptTypeCount: { positive: 1, negative: 1 },
    });
    expect((await copy.listConceptRelations({ conceptId: 'animal' })).conceptRelations).toHaveLength(1);
    const { workflow } = await copy.getWorkflow({ workflowId: 'flow' });
    expect(workflow?.nodes[0]?.model).toMatchObject({ id: 'own', appId: `${dana.appId}-copy` });
    expect((await copy.getModel({ modelId: 'own' })).model?.modelVersion?.appId).toBe(`${dana.appId}-copy`);
    const near = await copy.postInputsSearches({
      searches: [{ query: { ranks: [{ annotation: { data: { image: { base64: tinyPng(1) } } } }] } }],
    });
    expect(near.hits.map(({ input }) => input?.id).sort()).toEqual(['a', 'b', 'c']);
  });

  test('a copy into an app that is there leaves what it has, and inputs bring their own labels only', async () => {
    const other = await signedIn('other', { app: false });
    const appId = `${dana.appId}-there`;
    await dana.client.postApps({
      userAppId: { userId: 'me', appId: '' },
      apps: [{ id: appId, defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
    });
    const there = dana.as({ appId });
    await there.postInputs({ inputs: [{ id: 'a', data: { text: { raw: 'mine' } } }] });
    const filter = { copyInputs: true, copyConcepts: true };
    const done = await duplicate({ existingAppId: appId, filter });
    expect(done).toMatchObject({ status: { code: 25200 }, destinationApp: { id: appId } });
    const inputs = (await there.listInputs({})).inputs;
    expect(inputs).toHaveLength(3);
    expect(inputs.find(({ id }) => id === 'a')?.data?.text).toBeDefined();
    expect((await there.listAnnotations({ inputIds: ['b', 'c'] })).annotations).toHaveLength(2);
    expect(
      await codeOf({ existingAppId: appId, filter }, other.as({ userId: dana.userId, appId: dana.appId })),
    ).not.toBe(10000);
  });

  test('what a filter needs and leaves out, and where nothing can go, is refused', async () => {
    expect(await codeOf({ filter: { copyInputs: true } })).toBe(25204);
    expect(await codeOf({ filter: { copyAnnotations: true, copyConcepts: true } })).toBe(25204);
    expect(await codeOf({ filter: { copyModels: true } })).toBe(25204);
    expect(await codeOf({ filter: {} })).toBe(25204);
    expect(await codeOf({ existingAppId: 'no-such-app' })).toBe(11101);
    expect(await codeOf({ newAppId: dana.appId })).toBe(40010);
    expect(await codeOf({ destinationApp: { id: dana.appId } })).toBe(25204);
    expect(await codeOf({ destinationApp: { id: 'x', userId: 'clarifai' } })).toBe(25204);
  });

  test('jobs belong to who asked, are listed latest first, and outlive their app', async () => {
    const appId = `${dana.appId}-brief`;
    const made = await duplicate({ newAppId: appId, filter: { copyConcepts: true } });
    expect(made?.status?.code).toBe(25200);
    await dana.as({ appId }).deleteApp({});
    const { json } = await dana.rest('GET', `/v2/users/${dana.userId}/duplications`);
    expect(json.app_duplications[0].id).toBe(made?.id);
    expect(json.app_duplications[0].destination_app).toBeUndefined();
    expect(json.app_duplications.length).toBeGreaterThanOrEqual(3);
    const userAppId = { userId: dana.userId, appId: '' };
    const page = await dana.client.listAppDuplications({ userAppId, page: 1, perPage: 2 });
    expect(page.appDuplications.map(({ id }) => id)).toEqual(
      json.app_duplications.slice(0, 2).map(({ id }: { id: string }) => id),
    );
    const eve = await signedIn('eve');
    const asked = await eve.client.getAppDuplication({
      userAppId,
      appDuplicationId: made?.id ?? '',
    });
    expect(asked.status?.code).not.toBe(10000);
    expect((await eve.rest('GET', `/v2/users/${eve.userId}/duplications/${made?.id}`)).json.status.code).toBe(
      11101,
    );
  });
});
