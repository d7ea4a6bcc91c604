import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { colourPng } from '../../server/src/testing/inputs.ts';
import { channelNetwork } from '../../server/src/testing/models.ts';
import { type Person, signedIn } from '../../server/src/testing/people.ts';

const bin = fileURLToPath(new URL('../bin/fovea.mjs', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'fovea-models-'));
let alice: Person;

/** A hub of our own: the first answer to a network breaks off in the middle. */
const network = Buffer.from(channelNetwork());
const files: Record<string, Buffer> = {
  'config.json': Buffer.from(
    '{"architectures":["ViTForImageClassification"],"id2label":{"0":"red","1":"green","2":"blue"}}',
  ),
  'preprocessor_config.json': Buffer.from('{"do_normalize":false,"size":{"height":8,"width":8}}'),
  'README.md': Buffer.from('---\nlicense: cc0-1.0\n---\n'),
  'onnx/model.onnx': network,
};
const ranges: string[] = [];
const hub = createServer((request, response) => {
  const path = /^\/tester\/colours\/resolve\/main\/(.*)$/.exec(request.url ?? '')?.[1] ?? '';
  const body = files[path];
  if (!body) return void response.writeHead(404).end();
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (request.headers.range) ranges.push(request.headers.range);
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length - from });
  if (path === 'onnx/model.onnx' && from === 0) {
    response.write(body.subarray(0, 100));
    setTimeout(() => response.destroy(), 50);
  } else response.end(body.subarray(from));
});

beforeAll(async () => {
  alice = await signedIn('alice');
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  hub.close();
  rmSync(dir, { recursive: true, force: true });
});

async function fovea(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [bin, ...words], {
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      HOME: dir,
      XDG_CACHE_HOME: join(dir, 'cache'),
      FOVEA_URL: alice.url,
      FOVEA_PAT: alice.pat,
      FOVEA_APP: alice.appId,
      FOVEA_HUB: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const code = await new Promise<number>((resolve) => child.once('close', (end) => resolve(end ?? 1)));
  return { code, stdout, stderr };
}

const first = async (modelId: string) => {
  const inputs = [{ data: { image: { base64: colourPng(20, 20, 240) } } }];
  const { outputs, status } = await alice.client.postModelOutputs({ modelId, inputs });
  expect(status?.code, status?.details).toBe(10000);
  return outputs[0]?.data?.concepts[0]?.name;
};

test('a repository is pulled from a mirror, going on where it broke off, and predicts', async () => {
  const { code, stdout, stderr } = await fovea('models', 'pull', 'hf:tester/colours');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/colours: ready, a visual-classifier/);
  expect(stderr).toMatch(/licence: cc0-1\.0/);
  expect(ranges).toContain('bytes=100-');
  expect(await first('colours')).toBe('blue');
});

test('a folder, and a single file with its checksum', async () => {
  mkdirSync(join(dir, 'local'));
  const labels = '{"task":"image-classification","labels":["r","g","b"]}';
  writeFileSync(join(dir, 'local', 'fovea.json'), labels);
  writeFileSync(join(dir, 'local', 'model.onnx'), network);
  expect(await fovea('models', 'pull', 'local', '--id', 'of-folder')).toMatchObject({ code: 0 });
  expect(await first('of-folder')).toBe('b');
  const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}/tester/colours/resolve/main/onnx/model.onnx`;
  const wrong = await fovea('models', 'pull', url, '--type', 'visual-classifier', '--sha256', '0'.repeat(64));
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('SHA-256 differs') });
  const sha256 = createHash('sha256').update(network).digest('hex');
  const right = await fovea(
    'models',
    'pull',
    url,
    '--id',
    'of-url',
    '--type',
    'visual-classifier',
    '--sha256',
    sha256,
  );
  expect(right.code, right.stderr).toBe(0);
});

test('a model is shown, exported, pulled again from the export, and removed', async () => {
  expect((await fovea('models', 'show', 'colours')).stdout).toMatch(
    /colours: visual-classifier[\s\S]*opset 17/,
  );
  expect(await fovea('models', 'export', 'colours', '-o', 'colours.tar')).toMatchObject({ code: 0 });
  expect(readFileSync(join(dir, 'colours.tar')).includes('version.json')).toBe(true);
  const again = await fovea('models', 'pull', 'colours.tar', '--id', 'again', '--type', 'visual-classifier');
  expect(again.code, again.stderr).toBe(0);
  expect(await first('again')).toBe('blue');
  expect(await fovea('models', 'remove', 'again')).toMatchObject({ code: 0 });
  expect((await fovea('models', 'show', 'again')).code).toBe(5);
  expect((await fovea('models', 'catalogue')).stdout).toMatch(/minilm/);
  expect(await fovea('models', 'pull', 'nothing-of-the-kind')).toMatchObject({ code: 5 });
});

test('a file that changed since it was first fetched is refused in words, and taken when told to', async () => {
  const changed = Buffer.from('{"do_normalize":true,"size":{"height":8,"width":8}}');
  const records = join(dir, 'cache', 'fovea', 'models', 'checksums.json');
  const known = JSON.parse(readFileSync(records, 'utf8'));
  const name = 'tester/colours@main/preprocessor_config.json';
  const sha256 = createHash('sha256')
    .update(files['preprocessor_config.json'] as Buffer)
    .digest('hex');
  expect(known[name]).toMatchObject({ sha256, at: expect.stringMatching(/^\d{4}-/) });
  // What is kept on this machine is checked as well: a damaged file is fetched again.
  const kept = join(dir, 'cache', 'fovea', 'models', 'tester--colours', 'main', 'preprocessor_config.json');
  writeFileSync(kept, 'damaged');
  const mended = await fovea('models', 'pull', 'hf:tester/colours', '--id', 'mended');
  expect(mended.code, mended.stderr).toBe(0);
  expect(createHash('sha256').update(readFileSync(kept)).digest('hex')).toBe(sha256);

  rmSync(kept);
  files['preprocessor_config.json'] = changed;
  const refused = await fovea('models', 'pull', 'hf:tester/colours', '--id', 'other');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/preprocessor_config\.json changed since \d{4}-.*--accept-changes/);
  expect((await fovea('models', 'show', 'other')).code).toBe(5);
  const taken = await fovea('models', 'pull', 'hf:tester/colours', '--id', 'other', '--accept-changes');
  expect(taken.code, taken.stderr).toBe(0);
  expect(readFileSync(kept)).toEqual(changed);
  const again = await fovea('models', 'pull', 'hf:tester/colours', '--id', 'other');
  expect(again.code, again.stderr).toBe(0);
});
