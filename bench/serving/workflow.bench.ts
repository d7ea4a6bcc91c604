import { join } from 'node:path';
import {
  PostModelOutputsRequestSchema,
  PostWorkflowResultsRequestSchema,
  PostWorkflowResultsResponseSchema,
} from '@fovea/contract';
import { openClient, type TestClient } from '../../server/src/testing/client.ts';
import type { Bench, BenchContext } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import { auth, costOf, grpcPlan, inApp, replyOf } from '../harness/calls.ts';
import { medianOf } from '../harness/judge.ts';
import { openLoad } from '../harness/load.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { makeApp } from '../harness/rows.ts';
import { startServer } from '../harness/server.ts';

const workflow: Bench = {
  name: 'workflow',
  about: 'what a node of a workflow costs beside what its model computes',
  goals: [
    {
      id: 'P4.6',
      what: 'CPU of a node that computes nothing, chains of 1, 10 and 50',
      unit: 'ms',
      better: 'lower',
      pass: 0.5,
      record: 0.15,
    },
    {
      id: 'B workflow run',
      what: 'CPU of 50 nodes / of 5',
      unit: 'x',
      better: 'lower',
      pass: 11,
      record: 10.3,
    },
  ],
  run,
};
export default workflow;

const app = inApp('bench-flows');
/** Lets everything pass: an operator that computes nothing. */
const modelId = 'pass';
const lengths = [1, 5, 10, 50] as const;
/** Inputs of the broken variant, for one. */
const inputsOfAgain = 12;

const inputs = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ data: { text: { raw: `what is passed on, ${n}` } } }));

async function run(context: BenchContext): Promise<void> {
  const server = await startServer({ main: context.serverMain, dataDir: join(context.folder, 'data') });
  context.defer(() => server.stop());
  const db = await server.database();
  await makeApp(server, db, app.userAppId.appId);
  await db.end();
  const { client } = openClient(new URL(server.url).host, auth, app.userAppId);
  await prepare(client);
  const load = openLoad();
  context.defer(() => load.close());
  const calls = scaled(context, 400, 40);
  const chain = (nodes: number, count = 1) =>
    grpcPlan(
      server.url,
      'PostWorkflowResults',
      PostWorkflowResultsRequestSchema,
      [{ ...app, workflowId: `chain-${nodes}`, inputs: inputs(count) }],
      { concurrency: 2, requestsMax: Math.max(20, Math.round(calls / Math.max(1, nodes / 5))) },
    );
  for (const nodes of lengths) {
    const { message } = await replyOf(load, chain(nodes), PostWorkflowResultsResponseSchema);
    const { results } = message as { results: { outputs: { data?: { text?: { raw: string } } }[] }[] };
    const said = results.flatMap(({ outputs }) => outputs.map(({ data }) => data?.text?.raw));
    context.sameAnswer(`${nodes} nodes pass on what came`, said, Array(nodes).fill('what is passed on, 0'));
  }
  const one = grpcPlan(
    server.url,
    'PostModelOutputs',
    PostModelOutputsRequestSchema,
    [{ ...app, modelId, inputs: inputs(1) }],
    { concurrency: 2, requestsMax: calls },
  );
  const cost = (plan: typeof one) => async () => (await costOf(load, server.pid, plan)).treeUs / 1000;
  const costs = await interleaved(context, {
    one: cost(chain(1)),
    five: cost(chain(5)),
    ten: cost(chain(10)),
    fifty: cost(chain(50)),
    again: cost(chain(50, inputsOfAgain)),
    single: cost(one),
  });
  const nodeOf = (many: readonly number[], count: number) =>
    many.map((ms, round) => (ms - (costs.one[round] as number)) / (count - 1));
  const shown = (ms: readonly number[]) => medianOf(ms).toFixed(2);
  context.measured(
    'P4.6',
    nodeOf(costs.fifty, 50),
    `a run of 1, 10 and 50 nodes ${shown(costs.one)}, ${shown(costs.ten)} and ${shown(costs.fifty)} ms of CPU; a node beside nine others ${shown(nodeOf(costs.ten, 10))} ms`,
  );
  context.control('P4.6', 'asks the server for each node by itself', costs.single);
  context.measured('B workflow run', ratios(costs.fifty, costs.five));
  context.control(
    'B workflow run',
    'goes through all nodes again for each of twelve',
    ratios(costs.again, costs.five),
  );
}

async function prepare(client: TestClient): Promise<void> {
  const params = { keep_fraction: 1 } as never;
  const made = await client.postModels({
    models: [{ id: modelId, modelTypeId: 'random-sample', outputInfo: { params } }],
  });
  const modelVersion = { id: made.model?.modelVersion?.id ?? '' };
  for (const nodes of lengths) {
    const reply = await client.postWorkflows({
      workflows: [
        {
          id: `chain-${nodes}`,
          nodes: Array.from({ length: nodes }, (_, n) => ({
            id: `node-${n}`,
            model: { id: modelId, modelVersion },
            nodeInputs: n === 0 ? [] : [{ nodeId: `node-${n - 1}` }],
          })),
        },
      ],
    });
    if (reply.status?.code !== 10000)
      throw new Error(`the chain of ${nodes} is refused: ${reply.status?.details}`);
  }
}
