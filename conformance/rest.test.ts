import { methodRules } from '@fovea/contract';
import { beforeAll, expect, test } from 'vitest';
import { type Json, type Person, signedIn } from '../server/src/testing/people.ts';
import { expectMainJob } from './expectations.ts';
import { type Call, mainJob } from './main-job.ts';
import { drawPictures } from './pictures.ts';

let alice: Person;
const under = (path: string) => `/v2/users/${alice.userId}/apps/${alice.appId}/${path}`;

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
});

/** As a script with curl would: the binding with the most names in it, the rest as query or body. */
const overRest: Call = async (rpc, request) => {
  const rule = methodRules.find((one) => one.name === rpc);
  const rest: Record<string, unknown> = { ...request };
  const binding = rule?.bindings
    .filter(({ path }) => path.startsWith('/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}'))
    .sort((a, b) => b.path.split('{').length - a.path.split('{').length)
    .find(({ path }) => [...path.matchAll(/\{(\w+)\}/g)].every(([, name]) => (name as string) in rest));
  if (!binding) throw new Error(`no binding for ${rpc}`);
  const path = binding.path
    .replace('{user_app_id.user_id}', alice.userId)
    .replace('{user_app_id.app_id}', alice.appId)
    .replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = String(rest[name]);
      delete rest[name];
      return encodeURIComponent(value);
    });
  if (binding.verb !== 'GET') return (await alice.rest(binding.verb, path, rest)).json;
  return (await alice.rest('GET', `${path}?${queryOf(rest)}`)).json;
};

function queryOf(fields: Record<string, unknown>, prefix = ''): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => {
      if (Array.isArray(value))
        return value.map((one) => `${prefix}${name}=${encodeURIComponent(String(one))}`);
      if (typeof value === 'object' && value !== null) {
        return [queryOf(value as Record<string, unknown>, `${prefix}${name}.`)];
      }
      return [`${prefix}${name}=${encodeURIComponent(String(value))}`];
    })
    .join('&');
}

test('upload, label, train, predict and search work over plain REST', async () => {
  const pictures = await drawPictures();
  expectMainJob(await mainJob(overRest, pictures), pictures);
}, 180_000);

test.each([
  'application/json',
  'application/javascript',
  'text/plain',
  'application/x-www-form-urlencoded',
  '',
])('a body is JSON whatever its content type says: "%s"', async (type) => {
  const id = `type-${type.replace(/\W+/g, '-')}x`;
  const { http, json } = await alice.rest(
    'POST',
    'concepts',
    { concepts: [{ id }] },
    { 'content-type': type },
  );
  expect([http, json.status.code, json.concepts[0].id]).toEqual([200, 10000, id]);
});

test('a path may end in a slash', async () => {
  const { http, json } = await alice.rest('GET', 'concepts/');
  expect([http, json.status.code]).toEqual([200, 10000]);
});

test('names may come in camelCase, and go out in snake_case', async () => {
  const { json } = await alice.rest('POST', 'datasets', {
    datasets: [{ id: 'camel', defaultProcessingInfo: { frameInterpolationInfo: { sampleMs: 500 } } }],
  });
  expect(json.datasets[0].default_processing_info.frame_interpolation_info.sample_ms).toBe(500);
  expect(json.datasets[0]).not.toHaveProperty('createdAt');
  expect(json.datasets[0].created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('DELETE reads the ids in its body', async () => {
  await alice.rest('POST', 'datasets', { datasets: [{ id: 'one' }, { id: 'two' }] });
  const gone = await alice.rest('DELETE', 'datasets', { dataset_ids: ['one'] });
  expect(gone.json.status.code).toBe(10000);
  const left = await alice.rest('GET', 'datasets');
  const ids = left.json.datasets.map((dataset: Json) => dataset.id);
  expect(ids).toContain('two');
  expect(ids).not.toContain('one');
});

test.each(['True', 'False', 'true', 'false'])('a query may say %s, as Python writes it', async (word) => {
  const { http, json } = await alice.rest('GET', `models?trained_only=${word}&page=1&per_page=5`);
  expect([http, json.status.code]).toEqual([200, 10000]);
});

test('a deleted nothing is a success, as the SDKs expect after every upload', async () => {
  const { json } = await alice.rest('DELETE', 'inputs', { ids: [] });
  expect(json.status.code).toBe(10000);
});

test('a concept without a value is present in JSON', async () => {
  const pictures = await drawPictures();
  const base64 = pictures[0]?.bytes.toString('base64');
  const { json } = await alice.rest('POST', 'inputs', {
    inputs: [{ id: 'no-value', data: { image: { base64 }, concepts: [{ id: 'implied' }] } }],
  });
  expect(json.inputs[0].data.concepts[0]).toMatchObject({ id: 'implied', value: 1 });
});

test('a stranger is told so with the status that clients match on', async () => {
  const reply = await fetch(alice.url + under('inputs'), {
    headers: { authorization: `Key ${'0'.repeat(32)}` },
  });
  const { status, inputs } = (await reply.json()) as Json;
  expect([reply.status, status.code, status.description]).toEqual([
    401,
    11008,
    'Invalid API key or Invalid API key/application pair',
  ]);
  expect(inputs).toEqual([]);
});

test('a verb that a path does not know is refused in JSON', async () => {
  const { http, json } = await alice.rest('PUT', 'inputs', {});
  expect([http, json.status.code]).toEqual([405, 11103]);
});
