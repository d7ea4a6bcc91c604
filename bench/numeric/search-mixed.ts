import { PostInputsRequestSchema, PostInputsSearchesRequestSchema } from '@fovea/contract';
import sharp from 'sharp';
import { type BenchContext, scaled } from '../harness/bench.ts';
import { grpcPlan, inApp } from '../harness/calls.ts';
import { quantileOf } from '../harness/judge.ts';
import { type LoadGenerator, openLoad } from '../harness/load.ts';
import { heldStill } from '../harness/processes.ts';
import type { BenchServer } from '../harness/server.ts';
import { allCells, filtersOf, type SearchApp, searchRequest } from './search-app.ts';
import type { VectorSet } from './vector-set.ts';

const callers = 16;
const batchesPerSecond = 10;
const inputsPerBatch = 10;

/** Sixteen callers search by all kinds of filters, each after its last answer, while 100 pictures a second are added. */
export async function searchWhileAdding(
  context: BenchContext,
  load: LoadGenerator,
  server: BenchServer,
  app: SearchApp,
  set: VectorSet,
): Promise<void> {
  const usual = scaled(context, 10, 3);
  const adding = openLoad();
  context.defer(() => adding.close());
  const pictures = await Promise.all(
    Array.from({ length: inputsPerBatch }, (_, i) =>
      sharp({ create: { width: 96, height: 72, channels: 3, background: { r: 20 * i, g: 120, b: 90 } } })
        .jpeg()
        .toBuffer(),
    ),
  );
  let round = 0;
  const add = (seconds: number) => {
    round += 1;
    const batches = Array.from({ length: Math.ceil(seconds * batchesPerSecond) }, (_, batch) => ({
      ...inApp(app.appId),
      inputs: pictures.map((base64, i) => ({
        id: `added-${round}-${batch}-${i}`,
        data: { image: { base64, allowDuplicateUrl: true } },
      })),
    }));
    const limits = {
      concurrency: 4,
      requestsMax: batches.length,
      timeMsMax: seconds * 1_000,
      ratePerSecond: batchesPerSecond,
    };
    return adding.run(grpcPlan(server.url, 'PostInputs', PostInputsRequestSchema, batches, limits));
  };
  const cells = allCells().filter((_, i) => i % 7 === 0);
  const requests = set.queries.flatMap((query, q) => [
    searchRequest(app, query),
    searchRequest(app, query, filtersOf(set, cells[q % cells.length] as (typeof cells)[number])),
  ]);
  const spread = async (seconds: number) => {
    const plan = grpcPlan(server.url, 'PostInputsSearches', PostInputsSearchesRequestSchema, requests, {
      concurrency: callers,
      requestsMax: 1_000_000,
      timeMsMax: seconds * 1_000,
    });
    const [searched, added] = await Promise.all([load.run(plan), add(seconds)]);
    const [p50, p99] = [0.5, 0.99].map((q) => quantileOf(searched.latenciesMs, q)) as [number, number];
    return { ratio: p99 / p50, p50, p99, perSecond: searched.completed / (searched.wallMs / 1_000), added };
  };
  const found: Awaited<ReturnType<typeof spread>>[] = [];
  const broken: number[] = [];
  for (let n = 0; n < Math.min(3, context.rounds); n++) {
    const one = await spread(usual);
    found.push(one);
    // Two pauses at least, however long an answer takes here; one answer in twenty falls into one.
    const release = heldStill(server.pid, { forMs: 10 * one.p50, everyMs: 20 * one.p50 });
    const seconds = Math.max(usual, (55 * one.p50) / 1_000);
    broken.push((await spread(seconds).finally(release)).ratio);
  }
  const words = found.map(
    ({ p50, p99, perSecond, added }) =>
      `${p50.toFixed(1)}/${p99.toFixed(1)} ms at ${Math.round(perSecond)} searches/s, ${added.completed * inputsPerBatch} inputs added`,
  );
  context.measured(
    'P3 mixed',
    found.map(({ ratio }) => ratio),
    `p50/p99: ${words.join('; ')}`,
  );
  context.control('P3 mixed', 'the server is held still again and again, for ten usual answers each', broken);
}
