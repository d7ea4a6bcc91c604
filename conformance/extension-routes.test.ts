import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { ruleOf, scopeRules } from '@fovea/contract';
import { beforeAll, expect, test, vi } from 'vitest';
import {
  type ExtensionRoute,
  extensionRoutes,
  filledIn,
  otherRoutes,
} from '../server/src/testing/extension-routes.ts';
import { tinyPng } from '../server/src/testing/inputs.ts';
import { type Person, serverUrl, signedIn } from '../server/src/testing/people.ts';

/** Walks every route beside the contract: strangers, missing scopes and other tenants get nothing out of any. */

interface Answer {
  readonly http: number;
  /** Of the contract; 0 where the answer is no JSON. */
  readonly code: number;
  readonly text: string;
}

let alice: Person;
let bob: Person;
/** What alice has, so that a route which forgot to ask would have something to show. */
let ids: Record<string, string>;

beforeAll(async () => {
  [alice, bob] = await Promise.all([signedIn('alice', { visibility: 50 }), signedIn('bob')]);
  const { client } = alice;
  const data = { image: { base64: tinyPng(90, 16) } };
  await client.postInputs({ inputs: [{ id: 'i', data, datasetIds: [] }] });
  const soon = { timeout: 30_000, interval: 30 };
  await vi.waitFor(async () => {
    expect((await client.getInput({ inputId: 'i' })).input?.status?.code).toBe(30000);
  }, soon);
  const { input } = await client.getInput({ inputId: 'i' });
  await client.postAnnotations({ annotations: [{ id: 'n', inputId: 'i', data: {} }] });
  await client.postDatasets({ datasets: [{ id: 'd' }] });
  await client.postDatasetInputs({ datasetId: 'd', datasetInputs: [{ input: { id: 'i' } }] });
  for (const id of ['v', 'w']) {
    await client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id }] });
    const isReady = async () =>
      (await client.getDatasetVersion({ datasetId: 'd', datasetVersionId: id })).datasetVersion?.status?.code;
    await vi.waitFor(async () => expect(await isReady()).toBe(64015), soon);
  }
  await client.postUploads({ uploads: [{ id: 'u', contentName: 'a.zip', contentLength: 2n }] });
  await client.putUploadContentParts({
    uploadId: 'u',
    contentParts: [{ partNumber: 1n, rangeStart: 0n, data: Buffer.from('{}') }],
  });
  ids = {
    user: alice.userId,
    app: alice.appId,
    input: 'i',
    annotation: 'n',
    dataset: 'd',
    version: 'v',
    other: 'w',
    upload: 'u',
    sha: input?.data?.image?.url.slice(-64) ?? '',
  };
}, 60_000);

async function ask(
  route: ExtensionRoute,
  key: string | undefined,
  names: Readonly<Record<string, string>> = ids,
): Promise<Answer> {
  const response = await fetch(serverUrl() + filledIn(route.path, names), {
    method: route.verb,
    headers: key === undefined ? {} : { authorization: `Key ${key}` },
    ...(route.body ? { body: filledIn(JSON.stringify(route.body), names) } : {}),
  });
  const text = await response.text();
  const code = text.startsWith('{"status"') ? JSON.parse(text).status.code : 0;
  return { http: response.status, code, text };
}

/** @returns one line for each route whose answer is not as it has to be */
async function walk(
  key: string | undefined,
  isAsItMustBe: (answer: Answer, route: ExtensionRoute) => boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const route of extensionRoutes) {
    const answer = await ask(route, key);
    if (!isAsItMustBe(answer, route))
      wrong.push(`${route.verb} ${route.path}: ${answer.http} ${answer.text.slice(0, 200)}`);
  }
  return wrong;
}

test('who sends no key is refused', async () => {
  const wrong = await walk(undefined, ({ http, code }, { isDownload }) =>
    isDownload ? http === 401 || http === 404 : http === 401 && code === 11102,
  );
  expect(wrong).toEqual([]);
});

test('an unknown key is refused', async () => {
  const wrong = await walk('0'.repeat(32), ({ http, code }, { isDownload }) =>
    isDownload ? http === 401 : http === 401 && code === 11008,
  );
  expect(wrong).toEqual([]);
});

test('another tenant reads the same as of an app that is not there', async () => {
  const nowhere = { ...ids, app: 'no-such-app-at-all' };
  const bare = (text: string) =>
    text
      .replaceAll(alice.appId, '*')
      .replaceAll(nowhere.app, '*')
      .replace(/"req_id":"[^"]*"/, '');
  const wrong: string[] = [];
  for (const route of extensionRoutes) {
    const [there, gone] = [await ask(route, bob.pat), await ask(route, bob.pat, nowhere)];
    if (there.http !== gone.http || there.http < 400 || bare(there.text) !== bare(gone.text))
      wrong.push(`${route.verb} ${route.path}: ${there.http} ${there.text} | ${gone.http} ${gone.text}`);
  }
  expect(wrong).toEqual([]);
});

test('what a public app shows does not reach beyond the contract', async () => {
  await alice.client.patchApps({
    userAppId: { userId: alice.userId, appId: '' },
    action: 'overwrite',
    apps: [{ id: alice.appId, visibility: { gettable: 50 } }],
  });
  expect((await bob.rest('GET', `/v2/users/${alice.userId}/apps/${alice.appId}`)).http).toBe(200);
  try {
    expect(await walk(bob.pat, ({ http }) => http >= 400 && http < 500)).toEqual([]);
  } finally {
    await alice.client.patchApps({
      userAppId: { userId: alice.userId, appId: '' },
      action: 'overwrite',
      apps: [{ id: alice.appId, visibility: { gettable: 10 } }],
    });
  }
});

test('one missing scope is enough to be refused, and nothing is done', async () => {
  const grantable = [...scopeRules.values()].filter(({ exposed, name }) => exposed && name !== 'All');
  const keys = new Map<string, string>();
  const keyWithout = async (scope: string) => {
    const gone = new Set([scope]);
    for (let before = 0; before !== gone.size; ) {
      before = gone.size;
      for (const { name, dependingScopes } of grantable)
        if (dependingScopes.some((needed) => gone.has(needed))) gone.add(name);
    }
    const scopes = grantable.map(({ name }) => name).filter((name) => !gone.has(name));
    const made = await alice.client.postKeys({ keys: [{ type: 'personal_access_token', scopes }] });
    expect(made.status?.details).toBe('');
    return made.keys[0]?.id as string;
  };
  const answered: string[] = [];
  for (const route of extensionRoutes) {
    for (const scope of new Set(route.rpcs.flatMap((rpc) => ruleOf(rpc).scopes))) {
      const key = keys.get(scope) ?? (await keyWithout(scope));
      keys.set(scope, key);
      const { http, code, text } = await ask(route, key);
      const isRefused = route.isDownload ? http === 404 || http === 403 : http === 403 && code === 11007;
      if (!isRefused) answered.push(`${route.verb} ${route.path} without ${scope}: ${http} ${text}`);
    }
  }
  expect(answered).toEqual([]);
}, 120_000);

test('the owner gets past the door everywhere, and no name is an internal error', async () => {
  const reached = await walk(alice.pat, ({ code }) => ![11007, 11008, 11102].includes(code) || code === 0);
  expect(reached.filter((line) => / 401 | 403 /.test(line))).toEqual([]);
  const seen: string[] = [];
  for (const route of extensionRoutes)
    for (const name of ['%00', '%zz', '../..', "'", 'x'.repeat(3000)]) {
      const path = route.path.replace(/\{(user|app)\}/g, (_, kind: 'user' | 'app') => ids[kind] as string);
      const response = await fetch(serverUrl() + path.replace(/\{\w+\}/g, name), {
        method: route.verb,
        headers: { authorization: `Key ${alice.pat}` },
        ...(route.body ? { body: '[{"a":{}}]' } : {}),
      });
      if (response.status >= 500 || (await response.text()).includes('99009'))
        seen.push(`${route.verb} ${route.path} with ${name}`);
    }
  expect(seen).toEqual([]);
});

test('a body that grows too large on its way is told so, not cut off', async () => {
  const wrong: string[] = [];
  for (const route of extensionRoutes.filter(({ verb }) => verb === 'POST')) {
    const http = await grownTooLarge(route);
    if (http !== 413) wrong.push(`${route.verb} ${route.path}: ${http}`);
  }
  expect(wrong).toEqual([]);
});

/** Sends 96 KiB that were not announced. @returns the HTTP number of the answer, or what happened instead */
const grownTooLarge = (route: ExtensionRoute): Promise<number | string | undefined> =>
  new Promise((resolve) => {
    const sent = httpRequest(serverUrl() + filledIn(route.path, ids), {
      method: route.verb,
      headers: { authorization: `Key ${alice.pat}`, 'transfer-encoding': 'chunked' },
    });
    sent.on('response', (response) => resolve(response.resume().statusCode));
    sent.on('error', (error) => resolve(error.message));
    for (let i = 0; i < 3; i++) sent.write(Buffer.alloc(32 * 1024, 32));
    sent.end();
  });

test('the routes are those that the documentation names and the server has', () => {
  const root = join(import.meta.dirname, '..');
  const known = [...extensionRoutes.map(({ verb, path }) => `${verb} ${path}`), ...otherRoutes].map((line) =>
    line.replace(/\?.*/, ''),
  );
  const shape = (line: string) => line.replace(/\{\w+\}/g, '{}');
  const shapes = new Set(known.map(shape));
  const page = readFileSync(join(root, 'docs', 'EXTENSIONS.md'), 'utf8');
  const named = [...page.matchAll(/^ {4}(GET|POST|PUT|PATCH|DELETE) +([^\s?]+)/gm)].map(([, verb, path]) =>
    `${verb} ${path}`
      .replace(' {app}/', ' /v2/ext/fovea/users/{user}/apps/{app}/')
      .replace(' {dataset}/', ' /v2/ext/fovea/users/{user}/apps/{app}/datasets/{dataset}/')
      .replace('{prefix}/thumbnail/{suffix}', '/media/thumbnail/users/{user}/apps/{app}/inputs/video/{sha}'),
  );
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((line) => !shapes.has(shape(line)))).toEqual([]);
  // What the server matches is written as a pattern or as a text; each has to reach something on the list.
  const sources = readdirSync(join(root, 'server', 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|testing/.test(file))
    .map((file) => readFileSync(join(root, 'server', 'src', file), 'utf8'));
  const patterns = sources.flatMap((text) => [...text.matchAll(/\/\^(\\\/v2\\\/[^\n]+?)\$\//g)]);
  expect(patterns.length).toBeGreaterThan(3);
  const samples = known.map((line) => filledIn(line.split(' ')[1] as string, {}));
  const reaches = (pattern: string) => samples.some((path) => new RegExp(`^${pattern}$`).test(path));
  expect(patterns.map(([, pattern]) => pattern as string).filter((pattern) => !reaches(pattern))).toEqual([]);
  const tails = sources.flatMap((text) => [...text.matchAll(/tail: '(\/[^']+)'/g)].map(([, tail]) => tail));
  expect(tails.filter((tail) => !samples.some((path) => new RegExp(`${tail}$`).test(path)))).toEqual([]);
  const texts = sources.flatMap((text) =>
    [...text.matchAll(/'(\/v2\/ext\/[^']*)'/g)].map(([, path]) => path),
  );
  expect(texts.filter((path) => !samples.includes(path as string))).toEqual([]);
});
