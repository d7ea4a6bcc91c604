import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

const appId = 'crash';
const alice = (server: TestServer) =>
  personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });

/** Asks until the answer is there. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('it did not happen');
}

test('a training that was acknowledged ends well although the server was killed', async () => {
  let server = await startServer();
  try {
    const before = alice(server).client;
    await before.postApps({
      userAppId: { userId: 'me', appId: '' },
      apps: [{ id: appId, defaultWorkflow: { id: 'General', appId: 'main', userId: 'clarifai' } }],
    });
    await before.postInputs({
      inputs: Array.from({ length: 20 }, (_, i) => ({
        data: {
          image: { base64: tinyPng(i < 10 ? i * 5 : 255 - i * 5, 64) },
          concepts: [{ id: i < 10 ? 'dark' : 'bright', value: 1 }],
        },
      })),
    });
    await until(async () => {
      const { inputs } = await before.listInputs({ perPage: 100, status: { code: 30000 } });
      return inputs.length === 20 || undefined;
    });
    await before.postModels({ models: [{ id: 'm' }] });
    const posted = await before.postModelVersions({ modelId: 'm', modelVersions: [{}] });
    expect(posted.model?.modelVersion?.status?.code).toBe(21103);
    server.process.kill('SIGKILL');
    await once(server.process, 'exit');
    server = await startServer({ dataDir: server.dataDir });
    const after = alice(server).client;
    const versionId = posted.model?.modelVersion?.id ?? '';
    const ended = await until(async () => {
      const { modelVersion } = await after.getModelVersion({ modelId: 'm', versionId });
      const code = modelVersion?.status?.code;
      return code === 21103 || code === 21101 ? undefined : code;
    });
    expect(ended).toBe(21100);
    const { outputs } = await after.postModelOutputs({
      modelId: 'm',
      inputs: [{ data: { image: { base64: tinyPng(3, 64) } } }],
    });
    expect(outputs[0]?.data?.concepts[0]?.id).toBe('dark');
  } finally {
    await server.stop();
  }
}, 120_000);
