import { beforeAll, describe, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice');
});

const model = async (id: string, more: object = {}) => {
  const reply = await alice.client.postModels({ models: [{ id, ...more }] });
  expect(reply.status?.code).toBe(10000);
  return reply.model;
};

describe('making a model', () => {
  test('a model without a type is an embedding classifier, untrained, with its owner and name filled in', async () => {
    const made = await model('plain');
    expect(made).toMatchObject({
      id: 'plain',
      name: 'plain',
      modelTypeId: 'embedding-classifier',
      userId: alice.userId,
      appId: alice.appId,
    });
    expect(made?.modelVersion?.status?.code).toBe(21102);
    expect(made?.modelVersion).toMatchObject({
      appId: alice.appId,
      userId: alice.userId,
      visibility: { gettable: 10 },
    });
  });

  test('a type that needs no training is ready at once', async () => {
    const made = await model('cropper', {
      modelTypeId: 'image-crop',
      modelVersion: { outputInfo: { params: { margin: 1.5 } } },
    });
    expect(made?.modelVersion?.status?.code).toBe(21100);
    expect(made?.modelVersion?.outputInfo?.params).toEqual({ margin: 1.5 });
  });

  test('the older singular field works over REST, and concepts are made in passing', async () => {
    const { http, json } = await alice.rest('POST', 'models', {
      model: {
        id: 'legacy',
        output_info: { data: { concepts: [{ id: 'legacy-cat' }, { name: 'legacy dog' }] } },
      },
    });
    expect([http, json.status.code, json.model.id]).toEqual([200, 10000, 'legacy']);
    expect(json.model.model_version.active_concept_count).toBe(2);
    const { concepts } = await alice.client.listModelConcepts({ modelId: 'legacy' });
    expect(concepts.map((concept) => concept.id)).toEqual(['legacy-cat', 'legacy dog']);
    expect((await alice.client.getConcept({ conceptId: 'legacy-cat' })).concept?.name).toBe('legacy-cat');
  });

  test('an id that is taken refuses the whole batch', async () => {
    const reply = await alice.client.postModels({ models: [{ id: 'fresh' }, { id: 'plain' }] });
    expect(reply.status?.code).toBe(40010);
    expect((await alice.client.getModel({ modelId: 'fresh' })).status?.code).toBe(21200);
  });

  test('a model cannot be public while its owner is not', async () => {
    const reply = await alice.client.postModels({ models: [{ id: 'open', visibility: { gettable: 50 } }] });
    expect(reply.status?.details).toMatch(/user profile has to be set public/i);
  });
});

describe('reading models', () => {
  test('a missing model says so in the words that clients compare', async () => {
    const { http, json } = await alice.rest('GET', 'models/nowhere');
    expect([http, json.status.code, json.status.description]).toEqual([404, 21200, 'Model does not exist']);
  });

  test('output info shows the concepts in both places, lists leave them out', async () => {
    await model('knowing', {
      modelVersion: { outputInfo: { data: { concepts: [{ id: 'k1' }, { id: 'k2' }] } } },
    });
    const { model: shown } = await alice.client.getModelOutputInfo({ modelId: 'knowing' });
    expect(shown?.outputInfo?.data?.concepts.map((one) => one.id)).toEqual(['k1', 'k2']);
    expect(shown?.modelVersion?.outputInfo?.data?.concepts.map((one) => one.id)).toEqual(['k1', 'k2']);
    const { model: short } = await alice.client.getModel({ modelId: 'knowing' });
    expect(short?.modelVersion?.outputInfo?.data?.concepts).toEqual([]);
    expect(short?.modelVersion?.outputInfo?.message).toBe(
      'Show output_info with: GET /models/{model_id}/output_info',
    );
  });

  test('lists filter, sort, search and page; beyond the end there is nothing', async () => {
    const bob = await signedIn('bob');
    for (const [id, modelTypeId, description] of [
      ['b-one', 'visual-classifier', 'tells satisfied customers apart'],
      ['b-two', 'visual-detector', 'boxes'],
      ['b-three', 'visual-classifier', 'something else'],
    ]) {
      await bob.client.postModels({
        models: [
          { id: id as string, modelTypeId: modelTypeId as string, description: description as string },
        ],
      });
    }
    const ids = async (request: Parameters<typeof bob.client.listModels>[0]) =>
      (await bob.client.listModels(request)).models.map((one) => one.id);
    expect(await ids({})).toEqual(['b-three', 'b-two', 'b-one']);
    expect(await ids({ sortBy: { case: 'sortByName', value: true }, sortAscending: true })).toEqual([
      'b-one',
      'b-three',
      'b-two',
    ]);
    expect(await ids({ modelTypeId: 'visual-detector' })).toEqual(['b-two']);
    expect(await ids({ search: 'satisfy' })).toEqual(['b-one']);
    expect(await ids({ name: '*thr*' })).toEqual(['b-three']);
    expect(
      await ids({ inputFields: ['image'], outputFields: ['regions[...].region_info.bounding_box'] }),
    ).toEqual(['b-two']);
    expect(await ids({ page: 2, perPage: 2 })).toEqual(['b-one']);
    expect(await ids({ page: 3, perPage: 2 })).toEqual([]);
    expect(await ids({ trainedOnly: true })).toEqual([]);
    expect(
      (await bob.client.listModels({ sortBy: { case: 'sortByRelevance', value: true } })).status?.code,
    ).toBe(21203);
  });

  test('without an app the list holds the platform’s models too, and nobody else’s private ones', async () => {
    await model('hidden');
    const carol = await signedIn('carol');
    const reply = await carol
      .as({ userId: '', appId: '' })
      .listModels({ userAppId: { userId: '', appId: '' }, perPage: 1000 });
    const ids = reply.models.map((one) => one.id);
    expect(ids).toContain('general-image-recognition');
    expect(ids).not.toContain('hidden');
  });

  test('model searches know wildcards', async () => {
    const main = alice.as({ userId: 'clarifai', appId: 'main' });
    const reply = await main.postModelsSearches({ modelQuery: { name: '*image-rec*' } });
    expect(reply.models.map((one) => one.id)).toContain('general-image-recognition');
  });
});

describe('patching', () => {
  const versionIds = async (id: string) =>
    (await alice.client.listModelVersions({ modelId: id })).modelVersions.map((one) => one.id);

  test('what describes a model changes in place, without a new version', async () => {
    await model('described', { description: 'old', toolkits: ['A'] });
    const before = await versionIds('described');
    const reply = await alice.client.patchModels({
      models: [{ id: 'described', description: 'new', toolkits: ['B'] }],
      action: 'merge',
    });
    expect(reply.models[0]).toMatchObject({ description: 'new', toolkits: ['A', 'B'] });
    await alice.client.patchModels({ models: [{ id: 'described', notes: 'n' }], action: 'overwrite' });
    const { model: after } = await alice.client.getModel({ modelId: 'described' });
    expect(after).toMatchObject({ description: 'new', notes: 'n' });
    expect(await versionIds('described')).toEqual(before);
  });

  test('over REST an empty list empties', async () => {
    await model('tagged', { toolkits: ['A'] });
    const { json } = await alice.rest('PATCH', 'models', {
      models: [{ id: 'tagged', toolkits: [] }],
      action: 'overwrite',
    });
    expect(json.models[0].toolkits).toEqual([]);
  });

  test('what decides how it predicts makes a new version, the newest first', async () => {
    await model('configured', { modelVersion: { outputInfo: { data: { concepts: [{ id: 'c1' }] } } } });
    const [first] = await versionIds('configured');
    const patch = (concepts: { id: string }[], action: string) =>
      alice.client.patchModels({
        models: [{ id: 'configured', modelVersion: { outputInfo: { data: { concepts } } } }],
        action,
      });
    await patch([{ id: 'c2' }], 'merge');
    const conceptIds = async () =>
      (await alice.client.listModelConcepts({ modelId: 'configured' })).concepts.map((one) => one.id);
    expect(await conceptIds()).toEqual(['c1', 'c2']);
    expect((await versionIds('configured')).at(-1)).toBe(first);
    await patch([{ id: 'c1' }], 'remove');
    expect(await conceptIds()).toEqual(['c2']);
    await patch([{ id: 'c3' }], 'overwrite');
    expect(await conceptIds()).toEqual(['c3']);
    expect(await versionIds('configured')).toHaveLength(4);
    await patch([{ id: 'c3' }], 'merge');
    expect(await versionIds('configured')).toHaveLength(4);
  });

  test('a model that is sent back as it was shown keeps its version and its concepts', async () => {
    await model('echoed', { modelVersion: { outputInfo: { data: { concepts: [{ id: 'c1' }] } } } });
    const { model: shown } = await alice.client.getModel({ modelId: 'echoed' });
    const [before] = await versionIds('echoed');
    for (const action of ['merge', 'overwrite']) {
      const models = [{ ...shown, description: action }] as never;
      expect((await alice.client.patchModels({ models, action })).models[0]?.description).toBe(action);
    }
    expect(await versionIds('echoed')).toEqual([before]);
    const concepts = (await alice.client.listModelConcepts({ modelId: 'echoed' })).concepts;
    expect(concepts.map((one) => one.id)).toEqual(['c1']);
  });

  test('a new version moves the time of the last change', async () => {
    await model('moved');
    const times = async () => {
      const { model: now } = await alice.client.getModel({ modelId: 'moved' });
      return Number(now?.modifiedAt?.seconds) * 1e9 + Number(now?.modifiedAt?.nanos);
    };
    const before = await times();
    const outputInfo = { data: { concepts: [{ id: 'c1' }] } };
    await alice.client.patchModels({
      models: [{ id: 'moved', modelVersion: { outputInfo } }],
      action: 'merge',
    });
    expect(await times()).toBeGreaterThan(before);
  });

  test('concepts and versions of a model obey the rules for ids', async () => {
    const tooLong = 'c'.repeat(300);
    const withConcept = {
      id: 'bad1',
      modelVersion: { outputInfo: { data: { concepts: [{ id: tooLong }] } } },
    };
    const bad = await alice.client.postModels({ models: [withConcept] });
    expect([bad.status?.code, bad.status?.details]).toEqual([21203, expect.stringContaining('concept id')]);
    const versioned = await alice.client.postModels({
      models: [{ id: 'bad2', modelVersion: { id: 'a/b' } }],
    });
    expect(versioned.status?.details).toContain('model version id');
  });

  test('a version cannot be made public while its owner is not', async () => {
    const [id = ''] = await versionIds('echoed');
    const reply = await alice.client.patchModelVersions({
      modelId: 'echoed',
      modelVersions: [{ id, visibility: { gettable: 50 } }],
      action: 'merge',
    });
    expect(reply.status?.details).toMatch(/user profile has to be set public/i);
  });

  test('an unknown action is named', async () => {
    const reply = await alice.client.patchModels({ models: [{ id: 'described' }], action: 'melt' });
    expect(reply.status?.details).toContain("Unrecognized action 'melt'");
  });

  test('a new id leaves word at the old one', async () => {
    await model('before');
    const reply = await alice.client.patchModelIds({
      ids: [{ id: 'before', newId: 'after' }],
      action: 'overwrite',
    });
    expect(reply.models[0]?.id).toBe('after');
    expect((await alice.client.getModel({ modelId: 'after' })).status?.code).toBe(10000);
    expect((await alice.client.getModel({ modelId: 'before' })).status?.code).toBe(10050);
  });

  test('tags have endpoints of their own', async () => {
    await model('tags');
    expect(
      (await alice.client.patchModelUseCases({ modelId: 'tags', usecases: ['x', 'y'], action: 'overwrite' }))
        .usecases,
    ).toEqual(['x', 'y']);
    expect(
      (await alice.client.patchModelToolkits({ modelId: 'tags', toolkits: ['t'], action: 'overwrite' }))
        .toolkits,
    ).toEqual(['t']);
    expect(
      (await alice.client.patchModelLanguages({ modelId: 'tags', languages: ['de'], action: 'overwrite' }))
        .languages,
    ).toEqual(['de']);
    expect(
      (
        await alice.client.patchModelCheckConsents({
          modelId: 'tags',
          checkConsents: ['c'],
          action: 'overwrite',
        })
      ).checkConsents,
    ).toEqual(['c']);
    const { model: shown } = await alice.client.getModel({ modelId: 'tags' });
    expect(shown).toMatchObject({
      useCases: ['x', 'y'],
      toolkits: ['t'],
      languages: ['de'],
      checkConsents: ['c'],
    });
    expect(shown?.languagesFull[0]).toMatchObject({ id: 'de', name: 'German' });
  });
});

describe('versions', () => {
  test('a type that needs no training gets a ready version, and versions can be described and deleted', async () => {
    await model('crop2', { modelTypeId: 'image-crop' });
    const posted = await alice.client.postModelVersions({
      modelId: 'crop2',
      modelVersions: [{ outputInfo: { params: { margin: 2 } } }],
    });
    expect(posted.model?.modelVersion?.status?.code).toBe(21100);
    const id = posted.model?.modelVersion?.id as string;
    await alice.client.patchModelVersions({
      modelId: 'crop2',
      modelVersions: [{ id, description: 'twice', license: 'MIT' }],
      action: 'merge',
    });
    const { modelVersion } = await alice.client.getModelVersion({ modelId: 'crop2', versionId: id });
    expect(modelVersion).toMatchObject({
      description: 'twice',
      license: 'MIT',
      outputInfo: { params: { margin: 2 } },
    });
    expect((await alice.client.deleteModelVersion({ modelId: 'crop2', versionId: id })).status?.code).toBe(
      10000,
    );
    expect((await alice.client.getModelVersion({ modelId: 'crop2', versionId: id })).status?.code).toBe(
      21200,
    );
    expect((await alice.client.listModelVersions({ modelId: 'crop2' })).modelVersions).toHaveLength(1);
  });

  test('a type that cannot be trained here is refused in so many words', async () => {
    await model('writer', { modelTypeId: 'text-to-text' });
    const reply = await alice.client.postModelVersions({ modelId: 'writer', modelVersions: [{}] });
    expect(reply.status?.code).toBe(10040);
  });
});

describe('deleting', () => {
  test('an empty list deletes nothing, a missing id says so, delete_all deletes all', async () => {
    const dave = await signedIn('dave');
    await dave.client.postModels({ models: [{ id: 'x' }, { id: 'y' }] });
    expect((await dave.client.deleteModels({})).status?.code).toBe(10000);
    expect((await dave.client.deleteModels({ ids: ['x', 'zzz'] })).status?.code).toBe(11101);
    expect((await dave.client.listModels({})).models).toHaveLength(2);
    expect((await dave.client.deleteModel({ modelId: 'x' })).status?.code).toBe(10000);
    await dave.client.deleteModels({ deleteAll: true });
    expect((await dave.client.listModels({})).models).toEqual([]);
  });
});

describe('types and concepts', () => {
  test('types are listed in one page and found one by one', async () => {
    const { modelTypes } = await alice.client.listModelTypes({});
    expect(modelTypes.map((type) => type.id)).toContain('clusterer');
    expect(
      (await alice.client.getModelType({ modelTypeId: 'visual-classifier' })).modelType?.inputFields,
    ).toEqual(['image']);
    expect((await alice.client.getModelType({ modelTypeId: 'region-thresholder' })).modelType?.id).toBe(
      'region-threshold',
    );
    expect((await alice.client.getModelType({ modelTypeId: 'none' })).status?.code).toBe(11101);
  });

  test('concept searches reach the app, a model, or the model alone', async () => {
    await alice.client.postConcepts({ concepts: [{ id: 'my-cat', name: 'my cat' }] });
    const ask = async (query: object) =>
      (await alice.client.postConceptsSearches({ conceptQuery: query })).concepts.map((one) => one.name);
    const source = {
      case: 'model',
      value: { id: 'general-image-recognition', userId: 'clarifai', appId: 'main' },
    };
    expect(await ask({ name: '*cat*' })).toContain('my cat');
    expect(await ask({ name: '*cat*' })).not.toContain('cat');
    expect(await ask({ name: '*cat*', source })).toEqual(expect.arrayContaining(['my cat', 'cat']));
    expect(await ask({ name: '*cat*', source, ignoreAppConcepts: true })).toEqual(['cat']);
    // A use case is one of models, so the app's own concepts stay out; this model classifies and detects nothing.
    expect(await ask({ name: '*cat*', source, useCases: [1] })).toEqual(['cat']);
    expect(await ask({ name: '*cat*', source, useCases: [2] })).toEqual([]);
  });

  test('concepts of the platform’s models are found by a part of their name', async () => {
    const main = alice.as({ userId: 'clarifai', appId: 'main' });
    const { concepts } = await main.listModelConcepts({
      modelId: 'general-image-recognition',
      search: 'oothbrus',
    });
    expect(concepts.map((one) => one.name)).toEqual(['toothbrush']);
    expect(concepts[0]?.id).toMatch(/^ai_/);
  });
});

test('strangers to a public model do not get the link to its training log', async () => {
  const owner = await signedIn('owner', { visibility: 50 });
  await owner.client.patchApps({
    apps: [{ id: owner.appId, visibility: { gettable: 50 } }],
    action: 'overwrite',
  });
  await owner.client.postModels({ models: [{ id: 'open', visibility: { gettable: 50 } }] });
  const posted = await owner.client.postModelVersions({ modelId: 'open', modelVersions: [{}] });
  const log = posted.model?.modelVersion?.trainLog;
  expect(log).toContain('/train_logs/');
  const seenBy = async (client: typeof owner.client) => [
    (await client.getModel({ modelId: 'open' })).model?.modelVersion?.trainLog,
    (await client.listModels({})).models[0]?.modelVersion?.trainLog,
    (await client.listModelVersions({ modelId: 'open' })).modelVersions[0]?.trainLog,
  ];
  expect(await seenBy(owner.client)).toEqual([log, log, log]);
  const stranger = alice.as({ userId: owner.userId, appId: owner.appId });
  expect(await seenBy(stranger)).toEqual(['', '', '']);
});

test('strangers cannot change the platform’s models', async () => {
  const main = alice.as({ userId: 'clarifai', appId: 'main' });
  expect((await main.deleteModels({ deleteAll: true })).status?.code).not.toBe(10000);
  expect(
    (await main.patchModels({ models: [{ id: 'face-detection', notes: 'x' }], action: 'overwrite' })).status
      ?.code,
  ).not.toBe(10000);
  expect((await main.getModel({ modelId: 'face-detection' })).status?.code).toBe(10000);
});
