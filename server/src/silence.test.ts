import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { personWith } from '#testing/people.ts';
import { startServer } from '#testing/server.ts';

test('networks run without a library keeping notes of them for its maker', async () => {
  const home = await mkdtemp(join(tmpdir(), 'fovea-home-'));
  // Without these two, which quieten the library by themselves on machines that test.
  const server = await startServer({
    env: { HOME: home, CI: undefined, ORT_DISABLE_TELEMETRY: undefined },
  });
  try {
    const { client } = personWith({ ...server, appId: 'main' });
    const reply = await client.postModelOutputs({
      userAppId: { userId: 'clarifai', appId: 'main' },
      modelId: 'general-image-embedding',
      inputs: [{ data: { image: { base64: tinyPng(3, 64) } } }],
    });
    expect(reply.outputs[0]?.status?.code).toBe(10000);
    expect(await readdir(home, { recursive: true })).toEqual([]);
  } finally {
    await server.stop();
    await rm(home, { recursive: true, force: true });
  }
}, 120_000);
