import { setTimeout as sleep } from 'node:timers/promises';
import { App_EmbeddingsStorage as storage } from '@fovea/contract';
import { beforeAll, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let ann: Person;
const path = (tail: string) => `/v2/ext/fovea/users/${ann.userId}/apps/${ann.appId}/indexes${tail}`;

beforeAll(async () => {
  ann = await signedIn('ann', { workflow: 'General' });
  await uploadPictures(ann, ['a', 'b', 'c']);
});

async function checked(body: object) {
  const posted = await ann.rest('POST', path('/checks'), body);
  expect(posted.json.status).toMatchObject({ code: 10000 });
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { check } = (await ann.rest('GET', path(`/checks/${posted.json.check.id}`))).json;
    if (![64000, 64001].includes(check.status.code) || Date.now() > deadline) return check;
    await sleep(30);
  }
}

test('the indexes of an app are told, and checked against its vectors', async () => {
  const { indexes } = (await ann.rest('GET', path(''))).json;
  expect(indexes).toEqual([
    expect.objectContaining({ model_id: 'general-image-embedding', vectors: 3, store: 'in_process' }),
  ]);
  await ann.client.postInputsSearches({
    searches: [{ query: { ranks: [{ annotation: { inputId: 'a' } }] } }],
  });
  await ann.client.deleteInputs({ ids: ['c'] });
  const check = await checked({ repair: true });
  expect(check).toMatchObject({ repair: true, status: { code: 64002 }, progress: { done: 2, total: 2 } });
  expect(check.indexes).toEqual([
    expect.objectContaining({ store: 'in_process', total: 2, missing: 0, differing: 0 }),
  ]);
  expect((await checked({})).indexes).toEqual([
    expect.objectContaining({ total: 2, missing: 0, extra: 0, differing: 0, repaired: 0 }),
  ]);
});

test('an app that wants a store which is not there is searched in memory, and says why', async () => {
  const app = { id: ann.appId, embeddingsStorage: storage.QDRANT };
  await ann.client.patchApps({ action: 'overwrite', apps: [app] });
  const search = () =>
    ann.client.postInputsSearches({ searches: [{ query: { ranks: [{ annotation: { inputId: 'a' } }] } }] });
  expect((await search()).hits[0]?.input?.id).toBe('a');
  const deadline = Date.now() + 15_000;
  for (;;) {
    const [index] = (await ann.rest('GET', path(''))).json.indexes;
    if (index.wanted_store || Date.now() > deadline) {
      expect(index).toMatchObject({ store: 'in_process', wanted_store: 'qdrant' });
      expect(index.why).toMatch(/^FOVEA_QDRANT_URL is not set/);
      break;
    }
    await sleep(100);
  }
  expect((await search()).hits[0]?.score).toBeCloseTo(1, 4);
});

test('strangers see nothing, and what makes no sense is refused', async () => {
  const eve = await signedIn('eve');
  expect((await eve.rest('GET', path(''))).http).toBeGreaterThanOrEqual(400);
  expect((await eve.rest('POST', path('/checks'), {})).http).toBeGreaterThanOrEqual(400);
  expect((await ann.rest('POST', path('/checks'), { repair: 'yes' })).http).toBe(400);
  expect((await ann.rest('GET', path('/checks/none'))).http).toBe(404);
});
