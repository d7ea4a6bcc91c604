import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

const appId = 'into';
const modelId = 'general-image-recognition';
const soon = { timeout: 60_000, interval: 50 };
let server: TestServer;
let admin: Person;
let versionId: string;

async function startAgain(env: NodeJS.ProcessEnv = {}): Promise<void> {
  const dataDir = server?.dataDir;
  server = await startServer({ env, ...(dataDir ? { dataDir } : {}) });
  admin = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });
}

const main = () => admin.as({ userId: 'clarifai', appId: 'main' });

beforeAll(async () => {
  await startAgain();
  await admin.client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: appId, defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
  });
  versionId = (await main().getModel({ modelId })).model?.modelVersion?.id as string;
  const source = { modelUserId: 'clarifai', modelAppId: 'main', modelId, modelVersionId: versionId };
  const made = await admin.client.postCollectors({
    collectors: [
      {
        id: 'c',
        preQueueRandomSample: 1,
        collectOutputs: true,
        collectorSource: {
          apiPostModelOutputsCollectorSource: { ...source, postInputsKeyId: server.pat },
        },
      },
    ],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
}, 120_000);

afterAll(() => server.stop());

let collected = 0;

test.each(['collector-chosen', 'collector-posted', 'collector-annotated'])(
  'killed at %s, what was queued comes in once, with its outputs',
  async (point) => {
    await server.stop({ keep: true });
    await startAgain({ FOVEA_FAILPOINTS: point });
    const dead = new Promise((resolve) => server.process.once('close', resolve));
    const image = { base64: tinyPng(100 + collected, 32) };
    // The process may be gone before the answer is.
    await main()
      .postModelOutputs({ modelId, versionId, inputs: [{ data: { image } }] })
      .catch(() => {});
    await dead;
    collected++;
    await startAgain();
    await vi.waitFor(async () => {
      const { inputs } = await admin.client.listInputs({});
      expect(inputs.map(({ status }) => status?.code)).toEqual(
        Array.from({ length: collected }, () => 30000),
      );
      const { annotations } = await admin.client.listAnnotations({ modelVersionIds: [versionId] });
      const said = new Set(annotations.map(({ inputId }) => inputId));
      expect([said.size, annotations.length]).toEqual([collected, collected]);
    }, soon);
  },
  120_000,
);
