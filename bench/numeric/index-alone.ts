import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchContext } from '../harness/bench.ts';
import { medianOf } from '../harness/judge.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type FilterTable, filteredAlone } from './filter-table.ts';
import { type Asked, buildRate, growth } from './index-growth.ts';
import { findPython, openPython, type PythonPeer } from './python.ts';
import type { SearchApp } from './search-app.ts';
import { k, meanRecall, type Truth } from './truth.ts';
import { openVectorEngine, type VectorEngine } from './vector-engine.ts';
import { bytesOf, keeps, recallOf, shares, type VectorSet } from './vector-set.ts';

/** The index by itself: beside faiss, its planner beside both of its ways, and how its costs grow. */
export async function indexAlone(
  context: BenchContext,
  set: VectorSet,
  app: SearchApp,
  truth: Truth,
  dir: string,
  table: FilterTable,
): Promise<void> {
  const { rows, file } = set;
  const flatMax = Math.min(50_000, Math.floor(rows / 2));
  const scope = `${app.appKey}-${app.modelVersionKey}`;
  const whole = { scope, dims: set.dims, file, from: 0, until: rows, firstKey: app.firstKey } as const;
  const planned = await openVectorEngine(context, { dir, flatMax });
  await planned.ask({ kind: 'upsert', ...whole });
  const python = findPython('faiss', 'numpy');
  const faiss = python === undefined ? undefined : openPython(python, 'faiss_peer.py');
  if (faiss) context.defer(() => faiss.close());
  context.say('building graphs');
  const began = performance.now();
  const faissBuilt = faiss?.ask<{ cpuMs: number }>({
    kind: 'build',
    file,
    dims: set.dims,
    rows,
    m: 16,
    efConstruction: 128,
  });
  const { state } = await planned.ask<{ state: string }>({ kind: 'settle', scope, timeoutMs: 900_000 });
  if (state !== 'ready') throw new Error(`the graph is ${state}`);
  const faissCpuMs = (await faissBuilt)?.cpuMs;
  const builtS = Math.round((performance.now() - began) / 1000);
  context.say(
    `graphs built in ${builtS} s${faissCpuMs ? `, faiss ${Math.round(faissCpuMs / 1000)} s of CPU` : ''}`,
  );

  const queries = set.queries.length;
  const asked = { scope, queryFile: set.queryFile, queries, k };
  const exact = await openVectorEngine(context, { dir: join(context.folder, 'none'), flatMax: 1e9 });
  await exact.ask({ kind: 'upsert', ...whole });
  const ef = await againstFaiss(context, planned, exact, faiss, set, truth, asked, app.firstKey);
  await filteredAlone(context, table, { planned, faiss, ef }, set, truth, asked, app.firstKey);
  await regret(context, planned, exact, set, dir, whole, asked);
  await growth(context, planned, exact, set, asked);
  await memory(context, set, whole);
  planned.close();
  exact.close();
  await buildRate(context, set, faiss);
  faiss?.close();
}

/** @returns the breadth at which faiss is as right as ours has to be; 0 where it is not there */
async function againstFaiss(
  context: BenchContext,
  planned: VectorEngine,
  exact: VectorEngine,
  faiss: PythonPeer | undefined,
  set: VectorSet,
  truth: Truth,
  asked: Asked,
  firstKey: number,
): Promise<number> {
  const rowsOf = (keys: readonly number[][]) => keys.map((each) => each.map((key) => key - firstKey));
  const ours = await planned.searchCost({ ...asked, repeats: 1 });
  const recall = meanRecall(rowsOf(ours.keys), truth);
  if (recall < 0.99) throw new Error(`recall@10 of the index is ${recall.toFixed(3)}, below 0.99: not timed`);
  if (!faiss) {
    context.absent('P3.12', 'numpy (Python)');
    context.absent('P3.1', 'faiss (Python)');
    return 0;
  }
  type Reply = { cpuMsEach: number; rows: number[][] };
  let ef = 0;
  let theirs = 0;
  for (ef of [16, 24, 32, 48, 64, 96, 128, 256]) {
    const reply = await faiss.ask<Reply>({
      kind: 'search',
      queryFile: set.queryFile,
      dims: set.dims,
      k,
      ef,
      repeats: 1,
    });
    theirs = meanRecall(reply.rows, truth);
    if (theirs >= 0.99) break;
  }
  const costs = await interleaved(context, {
    ours: async () => (await planned.searchCost({ ...asked, repeats: 16 })).cpuMsEach,
    faiss: async () =>
      (
        await faiss.ask<Reply>({
          kind: 'search',
          queryFile: set.queryFile,
          dims: set.dims,
          k,
          ef,
          repeats: 16,
        })
      ).cpuMsEach,
    scan: async () => (await exact.searchCost({ ...asked, repeats: 1 })).cpuMsEach,
    product: async () =>
      (
        await faiss.ask<Reply>({
          kind: 'product',
          file: set.file,
          queryFile: set.queryFile,
          dims: set.dims,
          repeats: 1,
        })
      ).cpuMsEach,
  });
  const words = (ms: readonly number[]) => medianOf(ms).toFixed(2);
  context.measured(
    'P3.1',
    ratios(costs.faiss, costs.ours),
    `ours ${words(costs.ours)} ms at recall ${recall.toFixed(3)} (${ours.byGraph}/${ours.searches} by graph), faiss ${words(costs.faiss)} ms at ${theirs.toFixed(3)} (ef ${ef})`,
  );
  context.measured(
    'P3.12',
    ratios(costs.scan, costs.product),
    `ours ${words(costs.scan)} ms, numpy ${words(costs.product)} ms, ${set.rows} vectors`,
  );
  context.control(
    'P3.12',
    'reads everything three times over',
    ratios(
      costs.scan.map((ms) => 3 * ms),
      costs.product,
    ),
  );
  context.control('P3.1', `scans all vectors (${words(costs.scan)} ms)`, ratios(costs.faiss, costs.scan));
  return ef;
}

/** Held by a process that has these vectors alone, and by one that has them twice. */
async function memory(
  context: BenchContext,
  set: VectorSet,
  whole: { dims: number; file: string; from: number; until: number; firstKey: number },
): Promise<void> {
  const alone = await openVectorEngine(context, { dir: join(context.folder, 'none'), flatMax: 1e9 });
  const floats = set.rows * set.dims * 4;
  const share = async () => (await alone.ask<{ bytes: number }>({ kind: 'held' })).bytes / floats;
  await alone.ask({ kind: 'upsert', ...whole, scope: 'once' });
  const once = await share();
  context.measured('P3.7', [once], `${set.rows} vectors`);
  await alone.ask({ kind: 'upsert', ...whole, scope: 'twice' });
  context.control('P3.7', 'keeps every vector twice', [await share()]);
  alone.close();
}

/** The planner against both of its ways, forced: no graph at all, and a graph wherever one may be asked. */
async function regret(
  context: BenchContext,
  planned: VectorEngine,
  exact: VectorEngine,
  set: VectorSet,
  dir: string,
  whole: { scope: string; dims: number; file: string; from: number; until: number; firstKey: number },
  asked: Asked,
): Promise<void> {
  const graphDir = join(context.folder, 'always');
  copyGraph(dir, graphDir);
  const graph = await openVectorEngine(context, { dir: graphDir, flatMax: 100 });
  await graph.ask({ kind: 'upsert', ...whole });
  await graph.ask({ kind: 'settle', scope: whole.scope, timeoutMs: 300_000 });
  const found: { share: number; planned: number; exact: number; graph: number; ways: string }[] = [];
  const rounds = Math.min(3, context.rounds);
  for (const share of shares.filter((one) => one < 1)) {
    const candidatesFile = join(context.folder, `candidates-${share}`);
    const kept = [...Array(set.rows).keys()].filter((row) => keeps(set, 'random', share, row));
    writeFileSync(candidatesFile, bytesOf(Float64Array.from(kept, (row) => row + whole.firstKey)));
    const repeats = Math.max(1, Math.min(40, Math.round(0.05 / share)));
    const cost = (engine: VectorEngine) => engine.searchCost({ ...asked, repeats, candidatesFile });
    const right = (await cost(exact)).keys;
    const walked = await cost(graph);
    const recall =
      right.reduce((sum, keys, q) => sum + recallOf(walked.keys[q] ?? [], keys), 0) / right.length;
    const costs = await interleaved(
      { rounds },
      {
        planned: async () => floored(await cost(planned)),
        exact: async () => floored(await cost(exact)),
        graph: async () => (recall < 0.99 ? Number.POSITIVE_INFINITY : floored(await cost(graph))),
      },
      { warmUp: false },
    );
    found.push({
      share,
      planned: medianOf(costs.planned),
      exact: medianOf(costs.exact),
      graph: medianOf(costs.graph),
      ways: `${share * 100} % ${medianOf(costs.planned).toFixed(2)}/${medianOf(costs.exact).toFixed(2)}/${medianOf(costs.graph).toFixed(2)}`,
    });
  }
  graph.close();
  const worst = Math.max(...found.map((one) => one.planned / Math.min(one.exact, one.graph)));
  context.measured('P3.5', [worst], `ms planned/exact/graph: ${found.map((one) => one.ways).join(', ')}`);
  const always = Math.max(
    ...found.map((one) => one.exact / Math.min(one.exact, one.graph)),
    exactOfAll(found),
  );
  context.control('P3.5', 'scans everything whatever the filter keeps', [always]);
}

/** CPU time is told in steps of 10 ms: a search that seems to cost nothing costs less than can be seen. */
const floored = ({ cpuMsEach }: { cpuMsEach: number }): number => Math.max(0.02, cpuMsEach);

/** What the smallest share would cost by scanning as much as the largest does. */
const exactOfAll = (found: readonly { exact: number }[]): number =>
  (found[0]?.exact ?? 0) / (found[found.length - 1]?.exact ?? 1);

/** Graph files of one folder into another. */
export function copyGraph(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name));
}
