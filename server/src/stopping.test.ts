import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findAssetsDir } from '#engine/assets.ts';
import { moderationEdge } from '#engine/builtin/moderation.ts';
import { OnnxCache } from '#engine/convert/onnx-cache.ts';
import { loopNetwork } from '#testing/hostile-models.ts';
import { tinyPng } from '#testing/inputs.ts';
import { personWith } from '#testing/people.ts';
import { startServer } from '#testing/server.ts';

/** Ten for requests in flight, the rest for PostgreSQL on a busy machine. */
const stopWithinMs = 60_000;

test('a stop ends the process and its database while a built-in network hangs in native code', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fovea-stopping-'));
  const network = await new OnnxCache(dataDir, findAssetsDir()).file('moderation-scores');
  await writeFile(network, loopNetwork(100, { input: 'image', edge: moderationEdge, output: 'scores' }));
  const server = await startServer({ dataDir, env: { FOVEA_MODEL_SECONDS_MAX: '10' } });
  const { client } = personWith({ ...server, appId: 'main' });
  const ask = (modelId: string, brightness: number) =>
    client.postModelOutputs({
      userAppId: { userId: 'clarifai', appId: 'main' },
      modelId,
      inputs: [{ data: { image: { base64: tinyPng(brightness, 64) } } }],
    });
  try {
    expect((await ask('moderation-recognition', 3)).outputs[0]?.status?.code).toBe(10000);
    // MODEL_PREDICTION_FAILED
    expect((await ask('moderation-recognition', 255)).outputs[0]?.status?.code).toBe(21313);
    // The server goes on without that thread.
    expect((await ask('color-recognition', 3)).outputs[0]?.status?.code).toBe(10000);
    const ended = once(server.process, 'exit');
    expect(existsSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'))).toBe(true);
    const began = performance.now();
    await server.stop({ keep: true });
    // No ordinary end gets past native code that hangs: this is how it shows that it did hang.
    expect((await ended)[1]).toBe('SIGKILL');
    expect(performance.now() - began).toBeLessThan(stopWithinMs);
    expect(existsSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'))).toBe(false);
    expect(server.output()).not.toContain('did not stop cleanly');
  } finally {
    server.process.kill('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  }
}, 240_000);
