import { createRequire } from 'node:module';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type Json, type Person, signedIn } from '../server/src/testing/people.ts';
import { until } from './main-job.ts';
import { drawPictures, type Picture } from './pictures.ts';

/**
 * The first official JavaScript client, `clarifai` 2: REST with an app-specific key and paths that name neither user nor
 * app, as the legacy client for C# does. One thing is changed: `apiEndpoint`.
 */
const Clarifai = createRequire(import.meta.url)('clarifai') as Json;

// Pictures are really processed and a model really trained; a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });

let alice: Person;
let app: Json;
let pictures: Picture[];
let training: Picture[];

const base64Of = (picture: Picture) => picture.bytes.toString('base64');
/** The client's collections have numbers for names, and are no arrays. */
const listOf = (collection: Json): Json[] => Array.from(collection);
const idsOf = (found: Json): string[] => found.hits.map((hit: Json) => hit.input.id);

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  pictures = await drawPictures();
  training = pictures.filter((picture) => !picture.heldOut);
  const { json } = await alice.rest('POST', `/v2/users/${alice.userId}/keys`, {
    keys: [{ description: 'old', scopes: ['All'], apps: [{ id: alice.appId, user_id: alice.userId }] }],
  });
  app = new Clarifai.App({ apiKey: json.keys[0].id, apiEndpoint: alice.url });
});

describe('clarifai 2, by an app-specific key', () => {
  test('uploads with concepts, metadata and a place', async () => {
    const made = await app.inputs.create(
      training.map((picture, i) => ({
        id: picture.id,
        base64: base64Of(picture),
        concepts: [{ id: picture.concept, value: true }],
        metadata: { number: i },
        geo: { latitude: 10 + i, longitude: 20 },
      })),
    );
    expect(made).toHaveLength(training.length);
    await until(async () => (await app.inputs.getStatus()).counts.processed === training.length);
    expect(await app.inputs.list({ page: 1, perPage: 5 })).toHaveLength(5);
    expect((await app.inputs.get(training[0]?.id)).concepts[0]).toMatchObject({ id: training[0]?.concept });
    expect((await app.concepts.search('rin*'))[0].id).toBe('rings');
  });

  test('changes concepts of inputs in its three ways', async () => {
    const { id = '', concept = '' } = training.at(-1) ?? {};
    const labels = async () =>
      listOf((await app.inputs.get(id)).concepts)
        .map(({ id }) => id)
        .sort();
    await app.inputs.mergeConcepts({ id, concepts: [{ id: 'merged' }] });
    expect(await labels()).toEqual([concept, 'merged'].sort());
    await app.inputs.deleteConcepts({ id, concepts: [{ id: 'merged' }] });
    expect(await labels()).toEqual([concept]);
    await app.inputs.overwriteConcepts({ id, concepts: [{ id: concept }] });
    expect(await labels()).toEqual([concept]);
  });

  test('trains a model of its own and predicts with it', async () => {
    await app.models.create('kinds', ['rings', 'checks'], { conceptsMutuallyExclusive: true });
    const trained = await app.models.train('kinds', true);
    expect(trained.modelVersion.status.code).toBe(21100);
    const heldOut = pictures.filter((picture) => picture.heldOut);
    for (const picture of heldOut) {
      const { outputs } = await app.models.predict('kinds', { base64: base64Of(picture) });
      expect(outputs[0].data.concepts[0].id).toBe(picture.concept);
    }
    expect(listOf(await app.models.search('kin*')).map(({ id }) => id)).toEqual(['kinds']);
  });

  test.each([
    ['general', 'GENERAL_MODEL', (data: Json) => data.concepts.length === 20],
    ['moderation', 'MODERATION_MODEL', (data: Json) => data.concepts.length > 0],
    ['embedding', 'GENERAL_EMBED_MODEL', (data: Json) => data.embeddings[0].vector.length === 256],
  ])("predicts with the platform's %s model, by the id it has always had", async (_name, constant, holds) => {
    const { outputs } = await app.models.predict(Clarifai[constant], {
      base64: base64Of(training[0] as Picture),
    });
    expect(holds(outputs[0].data)).toBe(true);
  });

  test('searches by concept, picture, metadata and place', async () => {
    const [first] = training as [Picture];
    const alike = training.filter(({ concept }) => concept === 'rings').map(({ id }) => id);
    expect(idsOf(await app.inputs.search([{ concept: { id: 'rings', type: 'input' } }])).sort()).toEqual(
      alike.sort(),
    );
    expect(idsOf(await app.inputs.search({ input: { base64: base64Of(first) } }))[0]).toBe(first.id);
    expect(idsOf(await app.inputs.search({ input: { metadata: { number: 3 }, type: 'input' } }))).toEqual([
      training[3]?.id,
    ]);
    const near = { latitude: 10, longitude: 20, type: 'withinKilometers', value: 50 };
    expect(idsOf(await app.inputs.search({ input: { geo: near } }))).toEqual([first.id]);
  });

  test('makes a workflow of a platform model and runs it', async () => {
    const { json } = await alice.rest('GET', '/v2/users/clarifai/apps/main/models/general-image-recognition');
    await app.workflow.create('mine', {
      modelId: 'general-image-recognition',
      modelVersionId: json.model.model_version.id,
    });
    const { results } = await app.workflow.predict('mine', { base64: base64Of(training[0] as Picture) });
    expect(results[0].outputs[0].data.concepts).toHaveLength(20);
  });

  test('is shut out of other apps, also of public ones it names', async () => {
    const named = new Clarifai.App({
      apiKey: app._config.apiKey,
      apiEndpoint: alice.url,
      userId: 'clarifai',
      appId: 'main',
    });
    await expect(named.models.list()).rejects.toMatchObject({
      response: { data: { status: { code: 11008 } } },
    });
  });

  test('deletes one and some', async () => {
    await app.inputs.delete(training[0]?.id);
    await app.inputs.delete([training[1]?.id, training[2]?.id]);
    expect(await app.inputs.list({ page: 1, perPage: 100 })).toHaveLength(training.length - 3);
    await app.models.delete('kinds');
    expect(await app.models.list()).toHaveLength(0);
  });
});
