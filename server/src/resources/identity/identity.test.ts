import { expect, test } from 'vitest';
import { personWith, serverUrl, signedIn } from '#testing/people.ts';

const appKey = async (person: Awaited<ReturnType<typeof signedIn>>, scopes: string[]) => {
  const reply = await person.client.postKeys({
    userAppId: { userId: 'me', appId: '' },
    keys: [{ description: 'test', scopes, apps: [{ id: person.appId, userId: person.userId }] }],
  });
  expect(reply.status?.details).toBe('');
  return reply.keys[0]?.id as string;
};

test('an app key opens its own app without naming it, and no other', async () => {
  const alice = await signedIn('alice');
  const key = await appKey(alice, ['All']);
  const short = await alice.rest('GET', '/v2/concepts', undefined, { authorization: `Key ${key}` });
  expect(short.json.status.code).toBe(10000);
  const other = await alice.rest('GET', '/v2/users/clarifai/apps/main/concepts', undefined, { authorization: `Key ${key}` });
  expect(other.json.status.code).toBe(11008);
});

test('a key without the scope is refused and told which one it lacks', async () => {
  const alice = await signedIn('alice');
  const key = await appKey(alice, ['Apps_Get', 'Concepts_Get']);
  const reply = await alice.as({ pat: key }).postConcepts({ concepts: [{ id: 'cat' }] });
  expect(reply.status).toMatchObject({ code: 11007, description: 'API key has insufficient scopes' });
  expect(reply.status?.details).toContain('Concepts_Add');
});

test('a key cannot make a key that may do more', async () => {
  const alice = await signedIn('alice');
  const scopes = ['Keys_Add', 'Keys_Get', 'Apps_Get'];
  const pat = await alice.client.postKeys({ keys: [{ type: 'personal_access_token', scopes }] });
  const weak = alice.as({ pat: pat.keys[0]?.id as string });
  const reply = await weak.postKeys({ keys: [{ type: 'personal_access_token', scopes: ['All'] }] });
  expect(reply.status?.code).toBe(11007);
});

test('a deleted key is refused by the very next call', async () => {
  const alice = await signedIn('alice');
  const key = await appKey(alice, ['All']);
  expect((await alice.as({ pat: key }).listConcepts({})).status?.code).toBe(10000);
  await alice.client.deleteKey({ keyId: key });
  expect((await alice.as({ pat: key }).listConcepts({})).status?.code).toBe(11008);
});

test('an expired key is refused', async () => {
  const alice = await signedIn('alice');
  const reply = await alice.client.postKeys({
    keys: [{ scopes: ['All'], apps: [{ id: alice.appId, userId: 'me' }], expiresAt: { seconds: 1000n } }],
  });
  const expired = await alice.as({ pat: reply.keys[0]?.id as string }).listConcepts({});
  expect(expired.status?.code).toBe(11008);
});

test.each([
  ['no header', '', 11102],
  ['another scheme', 'Bearer abc', 11102],
  ['a lower-case scheme', 'key abc', 11102],
  ['an unknown key', 'Key 0123456789abcdef0123456789abcdef', 11008],
])('%s is refused with the code clients expect', async (_, authorization, code) => {
  const response = await fetch(`${serverUrl()}/v2/users/me`, authorization ? { headers: { authorization } } : {});
  expect(response.status).toBe(401);
  const { status } = (await response.json()) as { status: { code: number; description: string } };
  expect(status.code).toBe(code);
  if (code === 11008) expect(status.description).toBe('Invalid API key or Invalid API key/application pair');
});

test('a collaborator may do what the owner shared and nothing more', async () => {
  const [alice, bob] = await Promise.all([signedIn('alice'), signedIn('bob', { app: false })]);
  const asBob = bob.as({ userId: alice.userId, appId: alice.appId });
  expect((await asBob.listConcepts({})).status?.code).toBe(11101);
  const added = await alice.client.postCollaborators({
    collaborators: [{ user: { id: bob.userId }, scopes: ['Apps_Get', 'Concepts_Get'] }],
  });
  expect(added.status?.code).toBe(10000);
  expect((await asBob.listConcepts({})).status?.code).toBe(10000);
  expect((await asBob.postConcepts({ concepts: [{ id: 'cat' }] })).status?.code).toBe(11007);
  const shared = await bob.client.listCollaborations({ userAppId: { userId: 'me', appId: '' } });
  expect(shared.collaborations.map((c) => c.app?.id)).toEqual([alice.appId]);
  await alice.client.deleteCollaborators({ collaboratorIds: [added.collaborators[0]?.id as string] });
  expect((await asBob.listConcepts({})).status?.code).toBe(11101);
});

test('a user sees a stranger only when the stranger is public', async () => {
  const [alice, hidden, open] = await Promise.all([
    signedIn('alice'),
    signedIn('hidden', { app: false }),
    signedIn('open', { app: false, visibility: 50 }),
  ]);
  const see = (userId: string) => alice.client.getUser({ userAppId: { userId, appId: '' } });
  expect((await see('me')).user?.id).toBe(alice.userId);
  expect((await see(hidden.userId)).status?.code).toBe(11101);
  expect((await see(open.userId)).user?.id).toBe(open.userId);
});

test('a session token opens what a token opens, and scopes can be listed with it', async () => {
  const alice = await signedIn('alice');
  const response = await fetch(`${alice.url}/v2/ext/fovea/session`, { method: 'POST', headers: { authorization: `Key ${alice.pat}` } });
  const { session_token: token } = (await response.json()) as { session_token: string };
  expect(response.headers.get('set-cookie')).toContain('HttpOnly');
  const listed = await fetch(`${alice.url}/v2/users/me/scopes`, { headers: { 'x-clarifai-session-token': token } });
  const scopes = (await listed.json()) as { scope_deps: { scope: string }[] };
  expect(scopes.scope_deps.map((dep) => dep.scope)).toContain('Inputs_Add');
  expect((await alice.rest('GET', '/v2/users/me/scopes')).json.status.code).toBe(11007);
});

test('the request id carries the prefix a client sends', async () => {
  const alice = await signedIn('alice');
  const { json } = await alice.rest('GET', 'concepts', undefined, { 'x-clarifai-request-id-prefix': 'sdk-python-11.8.2' });
  expect(json.status.req_id).toMatch(/^sdk-python-11\.8\.2-[0-9a-f]{32}$/);
});

test('scopes at hand are told', async () => {
  const alice = await signedIn('alice');
  const key = await appKey(alice, ['Apps_Get', 'Concepts_Get']);
  const mine = await alice.rest('GET', '/v2/myscopes', undefined, { authorization: `Key ${key}` });
  expect(mine.json.scopes.sort()).toEqual(['Apps_Get', 'Concepts_Get']);
  expect(mine.json.app.id).toBe(alice.appId);
  const listed = await personWith({ ...alice }).client.listAppKeys({});
  expect(listed.keys.map((k) => k.id)).toContain(key);
});
