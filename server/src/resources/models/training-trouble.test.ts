import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { personWith } from '#testing/people.ts';
import { startServer } from '#testing/server.ts';
import { processed } from '#testing/training.ts';

const appId = 'trouble';

test.each(['training-crashes', 'training-hangs', 'training-eats-memory'])(
  'where a thread that trains is in trouble (%s), the version fails with words and the server goes on',
  async (failpoint) => {
    const server = await startServer({ env: { FOVEA_FAILPOINTS: failpoint } });
    try {
      const alice = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });
      const { client } = alice;
      await client.postApps({
        userAppId: { userId: 'me', appId: '' },
        apps: [{ id: appId, defaultWorkflow: { id: 'General', appId: 'main', userId: 'clarifai' } }],
      });
      await client.postInputs({
        inputs: Array.from({ length: 12 }, (_, i) => ({
          data: {
            image: { base64: tinyPng(i < 6 ? i * 5 : 255 - i * 5, 64) },
            concepts: [{ id: i < 6 ? 'dark' : 'bright', value: 1 }],
          },
        })),
      });
      await processed(alice, 12);
      await client.postModels({ models: [{ id: 'm' }] });
      const posted = await client.postModelVersions({ modelId: 'm', modelVersions: [{}] });
      const versionId = posted.model?.modelVersion?.id ?? '';
      let code = 0;
      for (let tries = 0; tries < 1_800; tries += 1) {
        const { modelVersion } = await client.getModelVersion({ modelId: 'm', versionId });
        code = modelVersion?.status?.code ?? 0;
        if (code !== 21103 && code !== 21101) {
          expect(modelVersion?.status?.details).toMatch(/failed on the server/);
          break;
        }
        await sleep(100);
      }
      // MODEL_TRAINING_FAILED
      expect(code).toBe(21106);
      const said = await client.postModelOutputs({
        userAppId: { userId: 'clarifai', appId: 'main' },
        modelId: 'general-image-embedding',
        inputs: [{ data: { image: { base64: tinyPng(3, 64) } } }],
      });
      expect(said.outputs[0]?.status?.code).toBe(10000);
    } finally {
      await server.stop();
    }
  },
  240_000,
);
