import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeJson } from '../json/index.ts';
import { openLargeBodies } from './large-body.ts';
import { matchRoute, type RouteMatch, requestFrom } from './router.ts';

let folder: string;
let large: ReturnType<typeof openLargeBodies>;

// The thread runs the bundle, as it does in the built server.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-json-worker-'));
  const outfile = join(folder, 'json-worker.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./json-worker.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
  });
  large = openLargeBodies(pathToFileURL(outfile));
});

afterAll(async () => {
  await large?.close();
  await rm(folder, { recursive: true, force: true });
});

const postInputs = matchRoute('POST', '/v2/users/u/apps/a/inputs') as RouteMatch;
const patchInputs = matchRoute('PATCH', '/v2/inputs') as RouteMatch;
const bodyOf = (json: unknown) => Buffer.from(JSON.stringify(json));

test('a large body read in the thread is the same message as one read here', async () => {
  const json = {
    inputs: [{ id: 'a', data: { image: { base64: Buffer.alloc(2_000_000, 7).toString('base64') } } }],
  };
  const { rule, message, sent } = await large.read(postInputs, [['inputs_add_job_id', 'j']], bodyOf(json));
  const here = requestFrom(postInputs, [['inputs_add_job_id', 'j']], json);
  expect(rule.name).toBe('PostInputs');
  expect(encodeJson(rule.desc.input, message as never)).toBe(
    encodeJson(rule.desc.input, here.message as never),
  );
  expect(sent).toBeUndefined();
});

test('PATCH learns which keys were sent', async () => {
  const { sent } = await large.read(
    patchInputs,
    [],
    bodyOf({ action: 'merge', inputs: [{ id: 'a', data: {} }] }),
  );
  expect(sent).toEqual({ action: 'merge', inputs: [{ id: 'a', data: {} }] });
});

test('what is wrong with a large body is told as for a small one', async () => {
  await expect(large.read(postInputs, [], bodyOf({ inputs: [{ id: 1 }] }))).rejects.toMatchObject({
    name: 'JsonTrouble',
    field: 'inputs[0].id',
  });
  await expect(large.read(postInputs, [], Buffer.from('{"inputs":'))).rejects.toMatchObject({
    name: 'JsonTrouble',
  });
});

test('a thread that ended is replaced by the next body', async () => {
  await large.close();
  const { message } = await large.read(postInputs, [], bodyOf({ inputs: [] }));
  expect(message).toMatchObject({ userAppId: { userId: 'u' } });
});
