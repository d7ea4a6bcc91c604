import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { TestClient } from '../../server/src/testing/client.ts';
import { type BenchContext, scaled } from '../harness/bench.ts';
import { medianOf, quantileOf } from '../harness/judge.ts';
import { memoryOf } from '../harness/processes.ts';
import { type BenchServer, startServer } from '../harness/server.ts';
import { inputIdOf, type SearchApp, searchRequest } from './search-app.ts';
import { clientOf, rowsFound } from './search-sweep.ts';
import { k, type Truth } from './truth.ts';
import { bytesOf, recallOf, type VectorSet } from './vector-set.ts';

/** Stops and starts the server and waits for the first right answer; tells the memory on the way. */
export async function restart(
  context: BenchContext,
  before: BenchServer,
  app: SearchApp,
  set: VectorSet,
  truth: Truth,
): Promise<BenchServer> {
  const { dataDir } = before;
  const vectors = join(dataDir, 'vectors');
  let server = before;
  const [found, memory]: [number[], number[]] = [[], []];
  let words = '';
  const rounds = Math.min(3, context.rounds);
  for (let round = 0; round < rounds; round++) {
    await server.stop();
    const began = performance.now();
    for (const path of [set.file, ...readdirSync(vectors).map((name) => join(vectors, name))])
      readFileSync(path);
    const readMs = performance.now() - began;
    server = await startServer({ main: context.serverMain, dataDir });
    const watch = watchMemory(server.pid);
    const ready = performance.now();
    const rows = await rowsFound(clientOf(server, app), searchRequest(app, set.queries[0] as Float32Array));
    const firstMs = performance.now() - ready;
    if (recallOf(rows, truth.all(0)) < 1) throw new Error('the first search after the start is not right');
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const peakMb = watch.stop();
    const restMb = memoryOf(server.pid).pssMb;
    found.push(firstMs / readMs);
    memory.push(peakMb / restMb);
    words = `first answer ${Math.round(firstMs)} ms after ready, reading the files ${Math.round(readMs)} ms`;
    context.say(`${words}; memory ${Math.round(peakMb)} and ${Math.round(restMb)} MB`);
  }
  context.measured('P3.10', found, words);
  context.control(
    'P3.10',
    'builds the graph before it answers, at 800 vectors a second',
    found.map((ratio) => ratio + (set.rows / 800) * 10),
  );
  context.measured('P3.10 memory', memory, 'of server and database');
  context.control(
    'P3.10 memory',
    'keeps every row as read beside its vector',
    memory.map((ratio) => 2 * ratio),
  );
  return server;
}

/** Looks every 100 ms. */
function watchMemory(pid: number): { stop(): number } {
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, memoryOf(pid).pssMb);
  };
  const timer = setInterval(look, 100);
  return {
    stop() {
      clearInterval(timer);
      look();
      return peak;
    },
  };
}

/** Vectors that were just committed, then vectors that were just deleted. */
export async function freshness(
  context: BenchContext,
  client: TestClient,
  db: pg.Client,
  app: SearchApp,
  set: VectorSet,
): Promise<void> {
  const count = scaled(context, 200, 20);
  const latencies: number[] = [];
  let missed = 0;
  for (let n = 0; n < count; n++) {
    // As far from all others as a vector can be, so that only itself is near.
    const vector = Float32Array.from({ length: set.dims }, (_, d) =>
      d === n % set.dims ? 1 : 0.001 * ((n * d) % 7),
    );
    const row = set.rows + n;
    const key = app.firstKey + row;
    await db.query('begin');
    await db.query(
      `insert into inputs (key, app_key, id, kind, status_code) overriding system value values ($1, $2, $3, 'image', 30000)`,
      [key, app.appKey, inputIdOf(row)],
    );
    await db.query(
      `insert into annotations (key, app_key, input_key, input_id, id, input_level, worker_user_key) overriding system value
       values ($1, $2, $1, $3, 'a', true, $4)`,
      [key, app.appKey, inputIdOf(row), app.userKey],
    );
    await db.query(
      `insert into embeddings (key, app_key, model_version_key, input_key, annotation_key, vector) overriding system value
       values ($1, $2, $3, $1, $1, $4)`,
      [key, app.appKey, app.modelVersionKey, bytesOf(vector)],
    );
    await db.query('commit');
    const began = performance.now();
    const [first] = await rowsFound(client, searchRequest(app, vector));
    latencies.push(performance.now() - began);
    if (first !== row) missed++;
  }
  if (missed > 0) throw new Error(`${missed} of ${count} committed vectors were not found`);
  context.measured(
    'P3.8',
    [quantileOf(latencies, 0.99)],
    `${count} vectors, each found by the first search after its commit; p50 ${medianOf(latencies).toFixed(1)} ms`,
  );
  context.control('P3.8', 'catches up every five seconds', [5_000 * 0.99]);
  await deletes(context, client, app, set);
}

async function deletes(
  context: BenchContext,
  client: TestClient,
  app: SearchApp,
  set: VectorSet,
): Promise<void> {
  const total = Math.min(scaled(context, 10_000, 256), Math.floor(set.rows / 2));
  const { dims } = set;
  const deleted = new Set<number>();
  let [violations, searches, seenBefore] = [0, 0, 0];
  for (let from = 0; from < total; from += 128) {
    const rows = Array.from({ length: Math.min(128, total - from) }, (_, i) => from + i);
    const own = (row: number) => set.vectors.subarray(row * dims, (row + 1) * dims);
    const probes = rows.filter((_, i) => i % 43 === 0);
    for (const row of probes.slice(0, 1)) {
      if ((await rowsFound(client, searchRequest(app, own(row)))).includes(row)) seenBefore++;
    }
    const reply = await client.deleteInputs({ ids: rows.map(inputIdOf) });
    if (reply.status?.code !== 10000)
      throw new Error(`the delete answers ${reply.status?.code} ${reply.status?.details}`);
    for (const row of rows) deleted.add(row);
    for (const row of probes) {
      searches++;
      const found = await rowsFound(client, searchRequest(app, own(row)));
      if (found.length < k) throw new Error(`a search after deletes returns ${found.length} hits`);
      if (found.some((one) => deleted.has(one))) violations++;
    }
  }
  context.measured(
    'P3.8 deleted',
    [violations],
    `${deleted.size} deletes, ${searches} searches at what was deleted`,
  );
  context.control('P3.8 deleted', 'deletes nothing and says that it did', [seenBefore]);
}
