import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openClient } from '#testing/client.ts';
import {
  customNetwork,
  externalConstant,
  externalNetwork,
  externalSparse,
  externalSplit,
  hugeWeights,
  hungryNetwork,
  loopNetwork,
  stringNetwork,
} from '#testing/hostile-models.ts';
import { colourPng } from '#testing/inputs.ts';
import { broughtModel, channelNetwork, tarFile, tarHeader } from '#testing/models.ts';
import type { Person } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

let server: TestServer;
let alice: Person;
const canary = 'CANARY-7f31';
const manifest = JSON.stringify({
  task: 'image-classification',
  labels: ['red', 'green', 'blue'],
  decoder: 'given',
  preprocess: { do_normalize: false, size: { height: 8, width: 8 } },
});
const picture = (shade: number) => ({ data: { image: { base64: colourPng(shade, shade / 2, 0) } } });

beforeAll(async () => {
  server = await startServer({ env: { FOVEA_MODEL_SECONDS_MAX: '2', FOVEA_MODEL_MEMORY_MAX: '700MiB' } });
  await writeFile(join(server.dataDir, 'canary.bin'), canary);
  const opened = openClient(
    new URL(server.url).host,
    { authorization: `Key ${server.pat}` },
    { userId: 'admin', appId: 'hostile' },
  );
  await opened.client.postApps({
    userAppId: { userId: 'admin' },
    apps: [{ id: 'hostile', defaultWorkflowId: 'Empty' }],
  });
  alice = {
    url: server.url,
    pat: server.pat,
    userId: 'admin',
    appId: 'hostile',
    client: opened.client,
  } as unknown as Person;
});
afterAll(() => server?.stop());

let count = 0;
const refusal = async (archive: Uint8Array) => {
  count += 1;
  const { version } = await broughtModel(alice, `hostile-${count}`, 'visual-classifier', archive);
  expect(version?.status?.code).toBe(21108);
  return version?.status?.details ?? '';
};

describe('models that are not what they should be are refused, with words for their owner', () => {
  test.each<[string, () => Record<string, Uint8Array | string>, RegExp]>([
    [
      'a pickle',
      () => ({ 'model.onnx': Buffer.from('\x80\x04\x95cos\nsystem\n', 'latin1') }),
      /Python pickle/,
    ],
    ['a PyTorch archive', () => ({ 'model.onnx': 'PK\x03\x04rest' }), /ZIP archive \(PyTorch/],
    ['a Keras file', () => ({ 'model.onnx': Buffer.from('\x89HDF\r\n', 'latin1') }), /HDF5/],
    ['a NumPy array', () => ({ 'model.onnx': Buffer.from('\x93NUMPY', 'latin1') }), /NumPy/],
    ['a text', () => ({ 'model.onnx': '<html></html>' }), /a text/],
    ['noise', () => ({ 'model.onnx': Buffer.alloc(4000, 0xa7) }), /no ONNX file/],
    [
      'half a file',
      () => ({ 'model.onnx': channelNetwork().subarray(0, 150) }),
      /no ONNX file|no graph|no version/,
    ],
    [
      'joblib without a network',
      () => ({ 'model.joblib': 'x', 'model.py': 'x' }),
      /no \.onnx file.*Python code is never run/,
    ],
    [
      'weights in a folder above',
      () => ({ 'model.onnx': externalNetwork('../../../canary.bin') }),
      /outside of the package/,
    ],
    [
      'weights at an absolute path',
      () => ({ 'model.onnx': externalNetwork(join(server.dataDir, 'canary.bin')) }),
      /outside of the package/,
    ],
    [
      'weights in the working folder',
      () => ({ 'model.onnx': externalNetwork('canary.bin') }),
      /not in the package/,
    ],
    [
      'a constant that lies in a folder above',
      () => ({ 'model.onnx': externalConstant('../../../canary.bin') }),
      /outside of the package/,
    ],
    [
      'sparse weights in a folder above',
      () => ({ 'model.onnx': externalSparse('../../../canary.bin') }),
      /outside of the package/,
    ],
    [
      'weights in the first of two graphs',
      () => ({ 'model.onnx': externalSplit('../../../canary.bin') }),
      /two graphs/,
    ],
    [
      'weights beyond the end',
      () => ({ 'model.onnx': externalNetwork('w.data', 4000), 'w.data': 'short' }),
      /beyond the end/,
    ],
    ['an operator of somebody', () => ({ 'model.onnx': customNetwork() }), /evil\.ops::Exec is none of ONNX/],
    ['impossible dimensions', () => ({ 'model.onnx': hugeWeights() }), /impossible dimensions/],
    ['an input of strings', () => ({ 'model.onnx': stringNetwork() }), /takes strings/],
    ['a loop without an end', () => ({ 'model.onnx': loopNetwork(0) }), /took longer than/],
    ['hunger for memory', () => ({ 'model.onnx': hungryNetwork(0) }), /memory|bad allocation|allocate/i],
    [
      'labels that do not fit',
      () => ({
        'fovea.json': '{"task":"image-classification","labels":["a"]}',
        'model.onnx': channelNetwork(),
      }),
      /3 scores.*1 labels/,
    ],
    ['broken JSON', () => ({ 'fovea.json': '{', 'model.onnx': channelNetwork() }), /not a JSON object/],
  ])('%s', async (_, files, words) => {
    expect(await refusal(tarFile({ 'fovea.json': manifest, ...files() }))).toMatch(words);
  });

  test('links in the archive, and paths that lead out', async () => {
    const link = Buffer.concat([
      tarHeader('w.data', 0, '2', join(server.dataDir, 'canary.bin')),
      tarFile({ 'model.onnx': externalNetwork('w.data') }),
    ]);
    expect(await refusal(link)).toMatch(/link/);
    const hard = Buffer.concat([
      tarHeader('w.data', 0, '1', join(server.dataDir, 'canary.bin')),
      tarFile({ 'model.onnx': externalNetwork('w.data') }),
    ]);
    expect(await refusal(hard)).toMatch(/link/);
    expect(await refusal(tarFile({ '../model.onnx': channelNetwork() }))).toMatch(/leads out/);
  });

  test('a pickle in place of the archive', async () => {
    expect(await refusal(Buffer.from('\x80\x04\x95cos\nsystem\n', 'latin1'))).toMatch(
      /Python pickle.*never opened/s,
    );
  });

  test('and nothing of the server is in what they were told', async () => {
    expect(server.output()).not.toContain(canary);
    expect(await readFile(join(server.dataDir, 'canary.bin'), 'utf8')).toBe(canary);
  });
});

describe('a model that misbehaves takes nothing with it', () => {
  const ready = async (id: string, network: Uint8Array) => {
    const { version } = await broughtModel(
      alice,
      id,
      'visual-classifier',
      tarFile({ 'fovea.json': manifest, 'model.onnx': network }),
    );
    expect(version?.status?.code, version?.status?.details).toBe(21100);
  };
  const ask = (modelId: string, ...shades: number[]) =>
    alice.client.postModelOutputs({ modelId, inputs: shades.map(picture) });

  test('one that hangs is ended, and answers again', async () => {
    await ready('hangs', loopNetwork(0.7));
    expect((await ask('hangs', 20)).status?.code).toBe(10000);
    const stuck = await ask('hangs', 250);
    expect(stuck.outputs[0]?.status?.code, stuck.status?.details).toBe(21313);
    expect(stuck.outputs[0]?.status?.details).toMatch(/took longer than 2 s/);
    expect((await ask('hangs', 20)).status?.code).toBe(10000);
  });

  test('one that eats memory is ended, and answers again', async () => {
    await ready('eats', hungryNetwork(0.7));
    const full = await ask('eats', 250);
    expect(full.outputs[0]?.status?.code, full.status?.details).toBe(21313);
    expect((await ask('eats', 20)).status?.code).toBe(10000);
  });

  test('one whose process crashes again and again answers again each time', async () => {
    await ready('crashes', channelNetwork());
    for (let round = 0; round < 5; round += 1) {
      expect((await ask('crashes', 20)).status?.code).toBe(10000);
      for (const pid of guestsOf(server.process.pid as number)) process.kill(pid, 'SIGSEGV');
    }
    const { status } = await ask('crashes', 20, 40, 60);
    expect([10000, 10010]).toContain(status?.code);
    expect((await ask('crashes', 20)).status?.code).toBe(10000);
    expect(server.process.exitCode).toBe(null);
  });
});

/** Processes of models below the server. */
function guestsOf(serverPid: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, parent, args = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return Number(parent) === serverPid && args.includes('guest-worker') ? [Number(pid)] : [];
  });
}
