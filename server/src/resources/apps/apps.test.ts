import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';

const own = { userId: 'me', appId: '' };

test('an app is made for the caller and read back by url', async () => {
  const alice = await signedIn('alice');
  const made = await alice.client.postApps({
    userAppId: own,
    apps: [{ id: 'shop', description: 'shoes', userId: 'somebody-else' }],
  });
  expect(made.apps[0]).toMatchObject({
    id: 'shop',
    name: 'shop',
    userId: alice.userId,
    defaultLanguage: 'en',
    description: 'shoes',
  });
  const { json } = await alice.rest('GET', `/v2/users/me/apps/shop`);
  expect(json.app).toMatchObject({ id: 'shop', visibility: { gettable: 10 } });
  expect(json.app.extra_info.search_revision_marker).toBeDefined();
});

test('one bad app undoes the batch', async () => {
  const alice = await signedIn('alice');
  const reply = await alice.client.postApps({
    userAppId: own,
    apps: [{ id: 'new-one' }, { id: alice.appId }],
  });
  expect(reply.status?.code).toBe(40010);
  expect((await alice.client.getApp({ userAppId: { userId: 'me', appId: 'new-one' } })).status?.code).toBe(
    11101,
  );
});

test('a patch changes what it names and keeps the rest; over REST a named empty text clears', async () => {
  const alice = await signedIn('alice');
  await alice.client.patchApp({
    action: 'overwrite',
    app: { id: alice.appId, description: 'one', notes: 'n' },
  });
  const both = await alice.client.patchApp({
    action: 'overwrite',
    app: { id: alice.appId, defaultLanguage: 'de' },
  });
  expect(both.app).toMatchObject({ description: 'one', notes: 'n', defaultLanguage: 'de' });
  const cleared = await alice.rest('PATCH', `/v2/users/me/apps`, {
    action: 'overwrite',
    apps: [{ id: alice.appId, description: '' }],
  });
  expect(cleared.json.apps[0].description).toBeUndefined();
  expect(cleared.json.apps[0].notes).toBe('n');
});

test('an app cannot be public while its owner is private, and the words say what to do', async () => {
  const [alice, carol] = await Promise.all([signedIn('alice'), signedIn('carol', { visibility: 50 })]);
  const refused = await alice.client.patchApp({
    action: 'overwrite',
    app: { id: alice.appId, visibility: { gettable: 50 } },
  });
  expect(refused.status?.details).toMatch(/user profile has to be set public/i);
  const done = await carol.client.patchApp({
    action: 'overwrite',
    app: { id: carol.appId, visibility: { gettable: 50 } },
  });
  expect(done.app?.visibility?.gettable).toBe(50);
  const seen = await alice.as({ userId: carol.userId, appId: carol.appId }).getApp({});
  expect(seen.app?.id).toBe(carol.appId);
  expect(
    (await alice.as({ userId: carol.userId, appId: carol.appId }).postConcepts({ concepts: [{ id: 'x' }] }))
      .status?.code,
  ).toBe(11007);
});

test('lists sort, search by stem and prefix, and filter by wildcard', async () => {
  const alice = await signedIn('alice', { app: false });
  for (const [id, description] of [
    ['alpha', 'satisfied customers'],
    ['beta', 'clarifai clone'],
    ['gamma-cars', ''],
  ]) {
    await alice.client.postApps({
      userAppId: own,
      apps: [{ id: id as string, description: description as string }],
    });
  }
  const list = async (asked: object) =>
    (await alice.client.listApps({ userAppId: own, ...asked })).apps.map((app) => app.id);
  expect(await list({})).toEqual(['gamma-cars', 'beta', 'alpha']);
  expect(await list({ sortBy: { case: 'sortById', value: true }, sortAscending: true })).toEqual([
    'alpha',
    'beta',
    'gamma-cars',
  ]);
  expect(await list({ search: 'satisfy' })).toEqual(['alpha']);
  expect(await list({ search: 'clari' })).toEqual(['beta']);
  expect(await list({ search: 'satisfy cust' })).toEqual(['alpha']);
  expect(await list({ search: 'the satisfy nothing' })).toEqual([]);
  expect(await list({ search: 'cars' })).toEqual(['gamma-cars']);
  expect(await list({ name: 'gam*' })).toEqual(['gamma-cars']);
  expect(
    (await alice.client.listApps({ userAppId: own, sortBy: { case: 'sortByRelevance', value: true } })).status
      ?.code,
  ).toBe(11102);
});

test('a renamed app answers MOVED under its old id', async () => {
  const alice = await signedIn('alice');
  const renamed = await alice.client.patchAppsIds({
    userAppId: own,
    action: 'overwrite',
    ids: [{ id: alice.appId, newId: `${alice.appId}-2` }],
  });
  expect(renamed.apps[0]?.id).toBe(`${alice.appId}-2`);
  expect((await alice.client.listConcepts({})).status?.code).toBe(10050);
  const response = await fetch(`${alice.url}/v2/users/me/apps/${alice.appId}/concepts`, {
    headers: { authorization: `Key ${alice.pat}` },
    redirect: 'manual',
  });
  expect(response.status).toBe(307);
  expect(response.headers.get('location')).toBe(`/v2/users/me/apps/${alice.appId}-2/concepts`);
});

test('a deleted app is gone at once, with its keys, and its id is free again', async () => {
  const alice = await signedIn('alice');
  const made = await alice.client.postKeys({
    keys: [{ scopes: ['All'], apps: [{ id: alice.appId, userId: 'me' }] }],
  });
  const key = made.keys[0]?.id as string;
  expect((await alice.client.deleteApp({})).status?.code).toBe(10000);
  expect((await alice.client.getApp({})).status).toMatchObject({
    code: 11101,
    description: 'Resource does not exist',
  });
  expect((await alice.as({ pat: key }).listConcepts({})).status?.code).toBe(11008);
  expect((await alice.client.postApps({ userAppId: own, apps: [{ id: alice.appId }] })).status?.code).toBe(
    10000,
  );
  expect((await alice.client.listConcepts({})).concepts).toEqual([]);
});

test('a patch of several apps is all or none', async () => {
  const alice = await signedIn('alice');
  const reply = await alice.client.patchApps({
    userAppId: own,
    action: 'overwrite',
    apps: [
      { id: alice.appId, description: 'half' },
      { id: 'no-such-app', description: 'other half' },
    ],
  });
  expect(reply.status?.code).toBe(11101);
  expect((await alice.client.getApp({})).app?.description).toBe('');
});

test('remove clears the image that is named, and no other', async () => {
  const alice = await signedIn('alice');
  const image = { url: 'https://pictures.example/a.png' };
  await alice.client.patchApp({ action: 'overwrite', app: { id: alice.appId, description: 'kept', image } });
  const other = { id: alice.appId, image: { url: 'https://pictures.example/b.png' } };
  expect((await alice.client.patchApp({ action: 'remove', app: other })).app?.image?.url).toBe(image.url);
  const after = await alice.client.patchApp({ action: 'remove', app: { id: alice.appId, image } });
  expect(after.app?.image?.url ?? '').toBe('');
  expect(after.app?.description).toBe('kept');
});

test('details change details only', async () => {
  const alice = await signedIn('alice');
  await alice.client.patchApp({ action: 'overwrite', app: { id: alice.appId, sampleMs: 500 } });
  const patched = await alice.rest('PATCH', 'partial', {
    action: 'overwrite',
    apps: [{ id: alice.appId, notes: 'n', sample_ms: 9, description: '' }],
  });
  expect(patched.json.apps[0]).toMatchObject({ notes: 'n', sample_ms: 500 });
});

test('details are changed without touching anything else', async () => {
  const alice = await signedIn('alice');
  await alice.client.patchApp({ action: 'overwrite', app: { id: alice.appId, defaultLanguage: 'de' } });
  const reply = await alice.client.patchAppsDetails({
    action: 'overwrite',
    apps: [{ id: alice.appId, notes: 'kept', defaultLanguage: 'fr' }],
  });
  expect(reply.apps[0]).toMatchObject({ notes: 'kept', defaultLanguage: 'de' });
});

test('apps are found by a pattern of their name', async () => {
  const alice = await signedIn('alice', { app: false });
  for (const id of ['shoe-shop', 'hat-shop', 'shoes'])
    await alice.client.postApps({ userAppId: own, apps: [{ id }] });
  const found = await alice.client.postAppsSearches({ userAppId: own, appQuery: { name: 'shoe*' } });
  expect(found.apps.map((app) => app.id).sort()).toEqual(['shoe-shop', 'shoes']);
});

test('resources of an app are counted', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({
    inputs: [{ data: { text: { raw: 'one' } } }, { data: { text: { raw: 'two' } } }],
  });
  await alice.client.postDatasets({ datasets: [{ id: 'd' }] });
  const counts = await alice.client.getResourceCounts({});
  expect([counts.inputs, counts.datasets, counts.models, counts.modules]).toEqual([2n, 1n, 0n, 0n]);
});
