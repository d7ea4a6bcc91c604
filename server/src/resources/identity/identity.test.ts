import { expect, test } from 'vitest';
import { adminPat, personWith, serverUrl, signedIn } from '#testing/people.ts';

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
  const other = await alice.rest('GET', '/v2/users/clarifai/apps/main/concepts', undefined, {
    authorization: `Key ${key}`,
  });
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
  const response = await fetch(
    `${serverUrl()}/v2/users/me`,
    authorization ? { headers: { authorization } } : {},
  );
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
  const response = await fetch(`${alice.url}/v2/ext/fovea/session`, {
    method: 'POST',
    headers: { authorization: `Key ${alice.pat}` },
  });
  const { session_token: token } = (await response.json()) as { session_token: string };
  expect(response.headers.get('set-cookie')).toContain('HttpOnly');
  const listed = await fetch(`${alice.url}/v2/users/me/scopes`, {
    headers: { 'x-clarifai-session-token': token },
  });
  const scopes = (await listed.json()) as { scope_deps: { scope: string }[] };
  expect(scopes.scope_deps.map((dep) => dep.scope)).toContain('Inputs_Add');
  expect((await alice.rest('GET', '/v2/users/me/scopes')).json.status.code).toBe(11007);
});

test('the request id carries the prefix a client sends', async () => {
  const alice = await signedIn('alice');
  const { json } = await alice.rest('GET', 'concepts', undefined, {
    'x-clarifai-request-id-prefix': 'sdk-python-11.8.2',
  });
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

const listKeys = '/clarifai.api.V2/ListKeys';
const postKeys = '/clarifai.api.V2/PostKeys';
const keyScopes = ['Keys_Add', 'Keys_Get', 'Apps_Get'];

test('a key limited to endpoints neither makes nor sees a key that reaches further', async () => {
  const alice = await signedIn('alice');
  const made = await alice.client.postKeys({
    keys: [{ type: 'personal_access_token', scopes: keyScopes, endpoints: [listKeys, postKeys] }],
  });
  const limited = alice.as({ pat: made.keys[0]?.id as string });
  for (const endpoints of [[], ['/clarifai.api.V2/GetKey']]) {
    const reply = await limited.postKeys({
      keys: [{ type: 'personal_access_token', scopes: keyScopes, endpoints }],
    });
    expect(reply.status?.code).toBe(11007);
  }
  const within = await limited.postKeys({
    keys: [{ type: 'personal_access_token', scopes: keyScopes, endpoints: [listKeys] }],
  });
  expect(within.status?.code).toBe(10000);
  await alice.client.postKeys({ keys: [{ type: 'personal_access_token', scopes: keyScopes }] });
  expect((await limited.listKeys({})).keys).toHaveLength(2);
});

test('a patch of a key leaves what it does not name, and gives no app to a personal token', async () => {
  const alice = await signedIn('alice');
  const made = await alice.client.postKeys({
    keys: [{ type: 'personal_access_token', scopes: keyScopes, endpoints: [listKeys, postKeys] }],
  });
  const id = made.keys[0]?.id as string;
  const patched = await alice.client.patchKeys({
    action: 'overwrite',
    keys: [{ id, endpoints: [listKeys] }],
  });
  expect(patched.keys[0]).toMatchObject({ scopes: keyScopes, endpoints: [listKeys] });
  const bound = await alice.client.patchKeys({
    action: 'overwrite',
    keys: [{ id, apps: [{ id: alice.appId, userId: 'me' }] }],
  });
  expect(bound.status?.code).toBe(11102);
});

test('a patch of a collaborator leaves what it does not name; a taken id is refused', async () => {
  const [alice, bob, carol] = await Promise.all([signedIn('alice'), signedIn('bob'), signedIn('carol')]);
  const scopes = ['Keys_Get', 'Apps_Get'];
  const post = (userId: string, id: string) =>
    alice.client.postCollaborators({
      collaborators: [{ id, user: { id: userId }, scopes, endpoints: ['/clarifai.api.V2/ListAppKeys'] }],
    });
  const id = `colleague-${alice.appId}`;
  expect((await post(bob.userId, id)).status?.code).toBe(10000);
  expect((await post(carol.userId, id)).status?.code).toBe(40010);
  const patched = await alice.client.patchCollaborators({
    action: 'overwrite',
    collaborators: [{ id, scopes: ['Apps_Get', 'Keys_Get', 'Keys_Add'] }],
  });
  expect(patched.collaborators[0]).toMatchObject({ endpoints: ['/clarifai.api.V2/ListAppKeys'] });
});

test('what is public of an app are its models, workflows and the like: not its inputs, searches or colleagues', async () => {
  const [alice, carol] = await Promise.all([signedIn('alice'), signedIn('carol', { visibility: 50 })]);
  await carol.client.patchApp({
    action: 'overwrite',
    app: { id: carol.appId, visibility: { gettable: 50 } },
  });
  await carol.client.postInputsSearches({ searches: [{ id: 'mine', save: true, query: {} }] });
  const stranger = alice.as({ userId: carol.userId, appId: carol.appId });
  expect((await stranger.listConcepts({})).status?.code).toBe(10000);
  const search = { searches: [{ query: {} }] };
  const replies = await Promise.all([
    stranger.postInputsSearches(search),
    stranger.postAnnotationsSearches(search),
    stranger.postSearches(search),
    stranger.postSearchesByID({ id: 'mine' }),
    stranger.listSearches({}),
    stranger.listCollaborators({}),
    stranger.listInputs({}),
  ]);
  expect(replies.map((reply) => reply.status?.code)).toEqual(Array(7).fill(11007));
  expect((await stranger.getSearch({ id: 'mine' })).status?.code).toBe(11101);
  expect((await carol.client.getSearch({ id: 'mine' })).status?.code).toBe(10000);
});

test.each([
  ['an id that is no text', { id: 5 }, 'id'],
  ['an email that is none', { id: 'x', email: 'nobody' }, 'email'],
  ['an unknown visibility', { id: 'x', visibility: 7 }, 'visibility'],
])('a new user with %s is refused', async (_, body, words) => {
  const made = await fetch(`${serverUrl()}/v2/ext/fovea/users`, {
    method: 'POST',
    headers: { authorization: `Key ${adminPat()}` },
    body: JSON.stringify(body),
  });
  expect(made.status).toBe(400);
  expect(((await made.json()) as { status: { details: string } }).status.details).toContain(words);
});

test('a session ends with the token that opened it', async () => {
  const alice = await signedIn('alice', { app: false });
  const made = await alice.client.postKeys({ keys: [{ type: 'personal_access_token', scopes: ['All'] }] });
  const pat = made.keys[0]?.id as string;
  const response = await fetch(`${alice.url}/v2/ext/fovea/session`, {
    method: 'POST',
    headers: { authorization: `Key ${pat}` },
  });
  const { session_token: token } = (await response.json()) as { session_token: string };
  const look = async () =>
    (await fetch(`${alice.url}/v2/users/me`, { headers: { 'x-clarifai-session-token': token } })).status;
  expect(await look()).toBe(200);
  await alice.client.deleteKey({ keyId: pat });
  expect(await look()).toBe(401);
});

test('a key is read back by its secret, by its owner alone', async () => {
  const [alice, bob] = await Promise.all([signedIn('alice'), signedIn('bob', { app: false })]);
  const key = await appKey(alice, ['Apps_Get', 'Concepts_Get']);
  expect((await alice.client.getKey({ keyId: key })).key).toMatchObject({
    id: key,
    type: 'app_specific_key',
  });
  expect((await bob.client.getKey({ keyId: key })).status?.code).toBe(11101);
});

test('scopes are told for an app, for a user and for the key itself', async () => {
  const alice = await signedIn('alice');
  const key = await appKey(alice, ['Apps_Get']);
  const app = await alice.as({ pat: key }).myScopes({});
  expect([app.scopes, app.app?.id]).toEqual([['Apps_Get'], alice.appId]);
  const own = { userId: 'me', appId: '' };
  expect((await alice.client.myScopesUser({ userAppId: own })).scopes).toEqual(['All']);
  expect((await alice.client.myScopesRoot({})).scopes).toEqual(['All']);
});

test('scopes and passwords are for people who signed in with a session', async () => {
  const alice = await signedIn('alice', { app: false });
  const response = await fetch(`${alice.url}/v2/ext/fovea/session`, {
    method: 'POST',
    headers: { authorization: `Key ${alice.pat}` },
  });
  const { session_token: token } = (await response.json()) as { session_token: string };
  const inSession = alice.as({ headers: { 'x-clarifai-session-token': token } });
  const own = { userId: 'me', appId: '' };
  const scopes = await inSession.listScopes({ userAppId: own });
  expect(scopes.scopeDeps.find((dep) => dep.scope === 'Inputs_Add')?.dependingScopes).toContain('Inputs_Get');
  const weak = await inSession.postValidatePassword({ userAppId: own, password: { plaintext: 'abc' } });
  expect(weak.passwordViolations).toMatchObject({ minimumLength: true, upperCaseNeeded: true });
  const strong = await inSession.postValidatePassword({
    userAppId: own,
    password: { plaintext: 'Tr0ub4dor & three horses' },
  });
  expect(strong.passwordViolations).toBeUndefined();
});
