import { PostInputsSearchesRequestSchema } from '@fovea/contract';
import { openClient, type TestClient } from '../../server/src/testing/client.ts';
import type { BenchContext } from '../harness/bench.ts';
import { auth, costOf, grpcPlan, inApp } from '../harness/calls.ts';
import { medianOf } from '../harness/judge.ts';
import type { LoadGenerator } from '../harness/load.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import type { BenchServer } from '../harness/server.ts';
import type { FilterTable } from './filter-table.ts';
import {
  allCells,
  type Cell,
  cellName,
  filtersOf,
  rowOf,
  type SearchApp,
  searchRequest,
} from './search-app.ts';
import { k, type Truth } from './truth.ts';
import { matchesOf, recallOf, type VectorSet } from './vector-set.ts';

export function clientOf(server: BenchServer, app: SearchApp): TestClient {
  return openClient(new URL(server.url).host, auth, inApp(app.appId).userAppId).client;
}

/** Rows of the hits, best first. @throws Error when the search is no success */
export async function rowsFound(
  client: TestClient,
  request: ReturnType<typeof searchRequest>,
): Promise<number[]> {
  const reply = await client.postInputsSearches(request);
  if (reply.status?.code !== 10000)
    throw new Error(`the search answers ${reply.status?.code} ${reply.status?.details}`);
  return reply.hits.map((hit) => rowOf(hit.input?.id ?? ''));
}

/** The graph is opened after the vectors have rested; from then on a search costs a fraction. */
export async function whenGraphServes(
  context: BenchContext,
  client: TestClient,
  app: SearchApp,
  set: VectorSet,
): Promise<void> {
  const query = set.queries[0] as Float32Array;
  const began = performance.now();
  await rowsFound(client, searchRequest(app, query));
  context.say(`the first search took ${Math.round(performance.now() - began)} ms`);
  if (set.rows <= 50_000) return;
  const until = performance.now() + 300_000;
  const asked = { ...searchRequest(app, query), foveaExplain: true };
  while (!(await client.postInputsSearches(asked)).foveaExplain[0]?.approximate) {
    if (performance.now() > until) throw new Error('the server opened no graph');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Every cell with a few queries, put into the table. @returns the cells whose searches took longest */
export async function recallSweep(
  context: BenchContext,
  client: TestClient,
  app: SearchApp,
  set: VectorSet,
  truth: Truth,
  table: FilterTable,
): Promise<Cell[]> {
  const queries = Math.max(2, Math.min(6, truth.queries));
  const cells = allCells();
  const results: {
    cell: Cell;
    recall: number;
    counted: number;
    unfiltered: number;
    tookMs: number;
    isFew: boolean;
  }[] = [];
  for (const cell of cells) {
    const filters = filtersOf(set, cell);
    const took: number[] = [];
    let [recall, counted, unfiltered] = [0, 0, 0];
    for (let q = 0; q < queries; q++) {
      const right = truth.cell(q, cell);
      const began = performance.now();
      const found = await rowsFound(client, searchRequest(app, set.queries[q] as Float32Array, filters));
      took.push(performance.now() - began);
      recall += recallOf(found, right) / queries;
      counted += found.length === Math.min(k, matchesOf(set, cell.share)) ? 1 : 0;
      unfiltered += recallOf(truth.all(q), right) / queries;
    }
    table.add('PostInputsSearches, first asked', cell.kind, cell, { ms: medianOf(took), recall });
    results.push({
      cell,
      recall,
      counted: counted / queries,
      unfiltered,
      tookMs: medianOf(took),
      isFew: matchesOf(set, cell.share) <= 5_000,
    });
  }
  const worstOf = (list: typeof results) =>
    list.reduce((worst, one) => (one.recall < worst.recall ? one : worst));
  for (const [goal, list] of [
    ['P3.3', results],
    ['P3.3 few', results.filter((one) => one.isFew)],
  ] as const) {
    const worst = worstOf(list);
    context.measured(
      goal,
      [worst.recall],
      `${list.length} cells, ${queries} queries each; worst ${cellName(worst.cell)}`,
    );
    context.control(goal, 'leaves the filter out', [Math.min(...list.map((one) => one.unfiltered))]);
  }
  context.measured('P3.4', [Math.min(...results.map((one) => one.counted))], `${results.length} cells`);
  context.control('P3.4', 'filters the ten nearest afterwards', [
    Math.min(...results.map((one) => (one.unfiltered < 1 ? 0 : 1))),
  ]);
  const slowest = [...results].sort((a, b) => b.tookMs - a.tookMs);
  context.say(
    `slowest: ${slowest
      .slice(0, 12)
      .map((one) => `${cellName(one.cell)} ${one.tookMs.toFixed(1)} ms`)
      .join(', ')}`,
  );
  const slowestOfKinds = ['concept', 'metadata', 'geo', 'dataset', 'and'].flatMap(
    (kind) => slowest.find((one) => one.cell.kind === kind) ?? [],
  );
  return slowestOfKinds.map((one) => one.cell);
}

/** The slowest cell of each kind of filter against no filter. */
export async function costSweep(
  context: BenchContext,
  load: LoadGenerator,
  server: BenchServer,
  app: SearchApp,
  set: VectorSet,
  worst: readonly Cell[],
): Promise<void> {
  const plan = (cell: Cell | undefined, requestsMax: number, perPage: number) =>
    grpcPlan(
      server.url,
      'PostInputsSearches',
      PostInputsSearchesRequestSchema,
      set.queries
        .slice(0, 12)
        .map((query) => searchRequest(app, query, cell ? filtersOf(set, cell) : [], perPage))
        .map((one) => (perPage > k ? { ...one, searches: Array(10).fill(one.searches?.[0]) } : one)),
      { concurrency: 1, requestsMax },
    );
  const cost =
    (cell: Cell | undefined, requests: number, perPage = k) =>
    async () =>
      (await costOf(load, server.pid, plan(cell, requests, perPage))).treeUs / 1000;
  const named = Object.fromEntries(worst.map((cell) => [cellName(cell), cost(cell, 12)]));
  const costs: Record<string, number[]> = await interleaved(context, {
    none: cost(undefined, 120),
    many: cost(undefined, 6, 1_000),
    ...named,
  });
  const { none = [], many = [], ...filtered } = costs;
  const perRound = none.map(
    (each, round) => Math.max(...Object.values(filtered).map((one) => one[round] as number)) / each,
  );
  const words = Object.entries(filtered).map(([name, ms]) => `${name} ${medianOf(ms).toFixed(1)}`);
  context.measured('P3.6', perRound, `ms: none ${medianOf(none).toFixed(2)}, ${words.join(', ')}`);
  context.control('P3.6', 'searches ten times over for 1,000 hits', ratios(many, none));
}
