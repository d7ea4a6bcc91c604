import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

const appId = 'crash';
const clientOf = (server: TestServer) =>
  personWith({ url: server.url, userId: server.userId, pat: server.pat, appId }).client;

/** Asks until the answer is there. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 1200; tries++) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('it did not happen');
}

const points = [
  'evaluation-gathered',
  'evaluation-predicted',
  'evaluation-measured',
  'evaluation-ended',
] as const;

test('an evaluation that was acknowledged ends well wherever the server was killed, with the same figures', async () => {
  let server = await startServer();
  try {
    const before = clientOf(server);
    await before.postApps({
      userAppId: { userId: 'me', appId: '' },
      apps: [{ id: appId, defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
    });
    const ids = Array.from({ length: 12 }, (_, i) => `p${i}`);
    await before.postInputs({
      inputs: ids.map((id, i) => ({
        id,
        data: {
          image: { base64: tinyPng(i * 20, 64) },
          concepts: [{ id: i < 6 ? 'person' : 'car', value: 1 }],
        },
      })),
    });
    await until(async () => {
      const { inputs } = await before.listInputs({ perPage: 100, status: { code: 30000 } });
      return inputs.length === ids.length || undefined;
    });
    await before.postDatasets({ datasets: [{ id: 'd' }] });
    await before.postDatasetInputs({
      datasetId: 'd',
      datasetInputs: ids.map((id) => ({ input: { id } })),
    });
    const model = { id: 'general-image-recognition', appId: 'main', userId: 'clarifai' };
    const summaries = [];
    for (const point of [undefined, ...points]) {
      const evaluationId = point ?? 'whole';
      if (point) {
        await server.stop({ keep: true });
        server = await startServer({ dataDir: server.dataDir, env: { FOVEA_FAILPOINTS: point } });
      }
      const exited = point ? once(server.process, 'exit') : undefined;
      const posted = await clientOf(server).postEvaluations({
        evalMetrics: [{ id: evaluationId, model, groundTruthDataset: { id: 'd' } }],
      });
      expect(posted.evalMetrics[0]?.status?.code, posted.status?.details).toBe(21303);
      if (exited) {
        expect((await exited)[1]).toBe('SIGKILL');
        server = await startServer({ dataDir: server.dataDir });
      }
      const after = clientOf(server);
      const metrics = await until(async () => {
        const { evalMetrics } = await after.getEvaluation({
          evaluationId,
          fields: { testSet: true },
        });
        const code = evalMetrics?.status?.code;
        return code === 21303 || code === 21301 ? undefined : evalMetrics;
      });
      expect(metrics.status?.code, `${point}: ${metrics.status?.details}`).toBe(21300);
      expect(metrics.testSet).toHaveLength(ids.length);
      summaries.push(metrics.summary);
    }
    expect(new Set(summaries.map((summary) => JSON.stringify(summary))).size).toBe(1);
    const { datasetVersions } = await clientOf(server).listDatasetVersions({ datasetId: 'd' });
    const count = (origin: number) =>
      datasetVersions.filter((version) => version.requestOrigin === origin).length;
    expect([count(3), count(4)]).toEqual([5, 5]);
  } finally {
    await server.stop();
  }
}, 240_000);
