import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openClient } from '#testing/client.ts';
import { clipSize, ffmpegPath, numberedClip, toneClip } from '#testing/clips.ts';
import { startServer, type TestServer } from '#testing/server.ts';
import { picture } from './inputs.testing.ts';

/** A server of its own, whose disk and whose decoder can be taken away. */
let server: TestServer;
let dataDir: string;
let client: ReturnType<typeof openClient>['client'];
let isMounted = false;

const open = async (env: NodeJS.ProcessEnv) => {
  server = await startServer({ dataDir, env });
  client = openClient(
    new URL(server.url).host,
    { authorization: `Key ${server.pat}` },
    { userId: 'admin', appId: 'media' },
  ).client;
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'fovea-media-faults-'));
  await mkdir(join(dataDir, 'objects'));
  const mount = ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', join(dataDir, 'objects')];
  isMounted = spawnSync('mount', mount).status === 0;
  await open({
    FOVEA_FFMPEG: '/nowhere/ffmpeg',
    FOVEA_AUDIO_BYTES_MAX: '20000',
    FOVEA_IMAGE_PIXELS_MAX: '1000000',
  });
  await client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'media', defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
  });
});
afterAll(async () => {
  await server.stop({ keep: true });
  if (isMounted) spawnSync('umount', ['-l', join(dataDir, 'objects')]);
  await rm(dataDir, { recursive: true, force: true });
});

async function statusOf(inputId: string) {
  let code = 0;
  let details = '';
  await expect
    .poll(
      async () => {
        const { input } = await client.getInput({ inputId });
        ({ code = 0, details = '' } = input?.status ?? {});
        return [30001, 30003].includes(code);
      },
      { timeout: 30_000 },
    )
    .toBe(false);
  return { code, details };
}

const got = async (url: string) => {
  const response = await fetch(url, { headers: { authorization: `Key ${server.pat}` } });
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
};

test('without ffmpeg videos and sounds are kept and end in a status that says what to do; pictures work', async () => {
  const [video, sound] = ffmpegPath
    ? [await numberedClip({ ending: 'mp4', frames: 5 }), await toneClip('flac', 0.2)]
    : [Buffer.from('\0\0\0\x14ftypisom\0\0\0\0isom', 'latin1'), Buffer.from('fLaC')];
  const { status } = await client.postInputs({
    inputs: [
      { id: 'video', data: { video: { base64: video } } },
      { id: 'sound', data: { audio: { base64: sound } } },
      { id: 'picture', data: { image: { base64: await picture(1) } } },
    ],
  });
  expect(status?.code).toBe(10000);
  for (const id of ['video', 'sound'])
    expect(await statusOf(id)).toEqual({ code: 30101, details: expect.stringMatching(/ffmpeg/) });
  expect((await statusOf('picture')).code).toBe(30000);
  const { input } = await client.getInput({ inputId: 'video' });
  expect(input?.data?.video?.hosted?.sizes).toEqual(['orig']);
  expect((await got(input?.data?.video?.url as string)).bytes.equals(video)).toBe(true);
  const reply = await client.postModelOutputs({
    modelId: 'color-recognition',
    inputs: [{ data: { video: { base64: video } } }],
  });
  expect(reply.outputs[0]?.status?.code, reply.status?.details).toBe(30101);
});

test('limits are those of the settings', async () => {
  const large = await picture(2, { width: 1200, height: 1000 });
  const { inputs } = await client.postInputs({
    inputs: [
      { id: 'loud', data: { audio: { base64: Buffer.alloc(20_001) } } },
      { id: 'large', data: { image: { base64: large } } },
    ],
  });
  expect(inputs.map((one) => one.status?.code)).toEqual([30105, 30001]);
  expect((await statusOf('large')).code).toBe(30105);
});

test('an original that the disk has changed is not handed out whole, and not worked on', async () => {
  const bytes = await picture(3, { width: 500, height: 400 });
  await client.postInputs({ inputs: [{ id: 'rotten', data: { image: { base64: bytes } } }] });
  await statusOf('rotten');
  const { input } = await client.getInput({ inputId: 'rotten' });
  const url = input?.data?.image?.url as string;
  expect((await got(url)).bytes.equals(bytes)).toBe(true);
  const sha = url.slice(-64);
  const file = join(dataDir, 'objects', 'media', 'orig', sha.slice(0, 2), sha);
  const damaged = await readFile(file);
  damaged[1000] = (damaged[1000] as number) ^ 1;
  await writeFile(file, damaged);
  await expect(got(url)).rejects.toThrow();
  const { outputs, status } = await client.postModelOutputs({
    modelId: 'color-recognition',
    inputs: [{ id: 'rotten' }],
  });
  expect(outputs[0]?.status?.code, status?.details).toBe(30002);
  expect((await client.getInput({ inputId: 'rotten' })).status?.code).toBe(10000);
});

test('a full disk refuses uploads with a status of its own, reads go on, and it recovers when there is room', async ({
  skip,
}) => {
  skip(!isMounted, 'mounting is not allowed here');
  const kept: string[] = [];
  let full: { code?: number; details?: string } | undefined;
  for (let n = 0; n < 30 && !full; n++) {
    const bytes = await picture(100 + n, { width: 500, height: 400, format: 'png' });
    const { status } = await client.postInputs({
      inputs: [{ id: `p${n}`, data: { image: { base64: bytes } } }],
    });
    if (status?.code === 10000) kept.push(`p${n}`);
    else full = status;
  }
  expect(full).toMatchObject({ code: 98014, details: expect.stringContaining('no room') });
  expect((await client.getInput({ inputId: `p${kept.length}` })).status?.code).toBe(11101);
  const { input } = await client.getInput({ inputId: 'picture' });
  expect((await got(input?.data?.image?.url as string)).status).toBe(200);
  await client.deleteInputs({ ids: kept.slice(0, 8) });
  await expect
    .poll(
      async () => {
        const bytes = await picture(999, { width: 300, height: 200 });
        return (await client.postInputs({ inputs: [{ id: 'again', data: { image: { base64: bytes } } }] }))
          .status?.code;
      },
      { timeout: 30_000 },
    )
    .toBe(10000);
  // What had been accepted while renditions found no room is processed now.
  for (const id of kept.slice(8)) expect((await statusOf(id)).code).toBe(30000);
  expect(await readdir(join(dataDir, 'objects', '.drafts'))).toEqual([]);
});

test.skipIf(!ffmpegPath)('with an ffmpeg, videos sent before are processed when sent again', async () => {
  await server.stop({ keep: true });
  await open({});
  const clip = await numberedClip({ ending: 'mp4', frames: 6 });
  await client.postInputs({ inputs: [{ id: 'later', data: { video: { base64: clip } } }] });
  expect((await statusOf('later')).code).toBe(30000);
  const { input } = await client.getInput({ inputId: 'later' });
  expect(input?.data?.video?.videoInfo).toMatchObject({ ...clipSize, frameCount: 6 });
  expect(await readdir(join(dataDir, 'work', 'media'))).toEqual([]);
});
