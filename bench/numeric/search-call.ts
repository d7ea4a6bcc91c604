import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MultiSearchResponseSchema, PostInputsSearchesRequestSchema } from '@fovea/contract';
import type pg from 'pg';
import type { BenchContext } from '../harness/bench.ts';
import { grpcPlan, replyOf } from '../harness/calls.ts';
import { medianOf } from '../harness/judge.ts';
import { ask, type LoadGenerator } from '../harness/load.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchServer, pinned } from '../harness/server.ts';
import { type SearchApp, searchRequest } from './search-app.ts';
import { k } from './truth.ts';
import { openVectorEngine } from './vector-engine.ts';
import type { VectorSet } from './vector-set.ts';

/** A search through the API beside the parts that no search can do without. */
export async function wholeCall(
  context: BenchContext,
  load: LoadGenerator,
  server: BenchServer,
  db: pg.Client,
  app: SearchApp,
  set: VectorSet,
): Promise<void> {
  const engine = await openVectorEngine(context, {
    dir: join(context.folder, 'graphs'),
    flatMax: Math.min(50_000, Math.floor(set.rows / 2)),
  });
  const scope = `${app.appKey}-${app.modelVersionKey}`;
  await engine.ask({
    kind: 'upsert',
    scope,
    dims: set.dims,
    file: set.file,
    from: 0,
    until: set.rows,
    firstKey: app.firstKey,
  });
  await engine.ask({ kind: 'settle', scope, timeoutMs: 300_000 });
  const requests = set.queries.map((query) => searchRequest(app, query));
  const limits = { concurrency: 1, requestsMax: 200 };
  const plan = grpcPlan(server.url, 'PostInputsSearches', PostInputsSearchesRequestSchema, requests, limits);
  const one = await replyOf(load, plan, MultiSearchResponseSchema);
  const noOp = await startNoOp(context, plan.path, one.bytes.toString('base64'));
  const p50 = async (run: Promise<{ latenciesMs: readonly number[] }>) => medianOf((await run).latenciesMs);
  const pairs = await interleaved(context, {
    call: () => p50(load.run(plan)),
    noOp: () => p50(load.run({ ...plan, url: noOp })),
    index: () =>
      p50(
        engine.ask({
          kind: 'search',
          scope,
          queryFile: set.queryFile,
          queries: set.queries.length,
          k,
          repeats: 3,
        }),
      ),
    read: () => p50(tenRowReads(db, app, set.rows)),
    many: () => p50(load.run({ ...plan, bodies: manyHits(server, app, set), requestsMax: 40 })),
  });
  engine.close();
  const parts = pairs.noOp.map(
    (ms, round) => ms + (pairs.index[round] as number) + (pairs.read[round] as number),
  );
  const words = (['call', 'noOp', 'index', 'read'] as const).map(
    (name) => `${name} ${medianOf(pairs[name]).toFixed(2)}`,
  );
  context.measured('P3.2', ratios(pairs.call, parts), `ms: ${words.join(', ')}`);
  context.control('P3.2', 'shows 500 hits where ten were asked for', ratios(pairs.many, parts));
}

const manyHits = (server: BenchServer, app: SearchApp, set: VectorSet): readonly string[] =>
  grpcPlan(
    server.url,
    'PostInputsSearches',
    PostInputsSearchesRequestSchema,
    set.queries.slice(0, 8).map((query) => searchRequest(app, query, [], 500)),
    { concurrency: 1, requestsMax: 1 },
  ).bodies;

async function tenRowReads(db: pg.Client, app: SearchApp, rows: number): Promise<{ latenciesMs: number[] }> {
  const latenciesMs: number[] = [];
  for (let n = 0; n < 100; n++) {
    const keys = Array.from({ length: 10 }, (_, i) => app.firstKey + ((n * 7919 + i * 104_729) % rows));
    const began = performance.now();
    await db.query('select * from inputs where key = any($1)', [keys]);
    latenciesMs.push(performance.now() - began);
  }
  return { latenciesMs };
}

async function startNoOp(context: BenchContext, path: string, reply: string): Promise<string> {
  const script = fileURLToPath(new URL('./peer-child.js', import.meta.url));
  const [program, ...words] = [...pinned(0), process.execPath, script];
  const child = spawn(program as string, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  context.defer(() => void child.kill());
  return (await ask<{ url: string }>(child, { kind: 'no-op', path, reply })).url;
}
