import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchContext, scaled } from '../harness/bench.ts';
import { medianOf } from '../harness/judge.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import type { PythonPeer } from './python.ts';
import { openVectorEngine, type VectorEngine } from './vector-engine.ts';
import { bytesOf, type VectorSet } from './vector-set.ts';

/** Everything of a search but how often it is made. */
export type Asked = Omit<Parameters<VectorEngine['searchCost']>[0], 'repeats'>;

/** What a search, a filtered search and a new vector cost in a scope ten times as large. */
export async function growth(
  context: BenchContext,
  planned: VectorEngine,
  exact: VectorEngine,
  set: VectorSet,
  asked: Asked,
): Promise<void> {
  const { dims } = set;
  const tenth = Math.floor(set.rows / 10);
  const matches = Math.min(1_000, Math.floor(tenth / 2));
  const small = { scope: 'tenth', dims, file: set.file, from: 0, until: tenth, firstKey: 0 } as const;
  await planned.ask({ kind: 'upsert', ...small });
  await exact.ask({ kind: 'upsert', ...small });
  const candidates = (name: string, from: number, rows: number) => {
    const path = join(context.folder, name);
    const step = Math.floor(rows / matches);
    writeFileSync(path, bytesOf(Float64Array.from({ length: matches }, (_, i) => from + i * step)));
    return path;
  };
  const inLarge = candidates('of-all', 1_000_000, set.rows);
  const inSmall = candidates('of-tenth', 0, tenth);
  const cost = async (question: Partial<Asked>, repeats: number) =>
    (await planned.searchCost({ ...asked, ...question, repeats })).cpuMsEach;
  const costs = await interleaved(context, {
    large: () => cost({}, 8),
    small: () => cost({ scope: 'tenth' }, 8),
    filteredLarge: () => cost({ candidatesFile: inLarge }, 8),
    filteredSmall: () => cost({ scope: 'tenth', candidatesFile: inSmall }, 8),
    scanned: async () => (await exact.searchCost({ ...asked, repeats: 2 })).cpuMsEach,
    scannedSmall: async () => (await exact.searchCost({ ...asked, scope: 'tenth', repeats: 8 })).cpuMsEach,
  });
  const ms = (samples: readonly number[]) => `${medianOf(samples).toFixed(2)} ms`;
  context.measured(
    'B vector search',
    ratios(costs.large, costs.small),
    `${ms(costs.large)} and ${ms(costs.small)}`,
  );
  context.control('B vector search', 'has no graph', ratios(costs.scanned, costs.scannedSmall));
  context.measured(
    'B filtered search',
    ratios(costs.filteredLarge, costs.filteredSmall),
    `${ms(costs.filteredLarge)} and ${ms(costs.filteredSmall)}`,
  );
  context.control(
    'B filtered search',
    'scans all and filters afterwards',
    ratios(costs.scanned, costs.scannedSmall),
  );

  const added = Math.min(2_000, tenth);
  const insert = async (scope: string, firstKey: number) => {
    const { cpuMs } = await exact.ask<{ cpuMs: number }>({
      ...small,
      kind: 'upsert',
      scope,
      until: added,
      firstKey,
    });
    return cpuMs / added;
  };
  let next = 10_000_000;
  const nextKeys = () => {
    next += added;
    return next;
  };
  const inserted = await interleaved(context, {
    large: () => insert(asked.scope, nextKeys()),
    small: () => insert('tenth', nextKeys()),
    copied: async () => {
      const { cpuMs } = await exact.ask<{ cpuMs: number }>({
        ...small,
        kind: 'upsert',
        scope: `copy-${next++}`,
        until: set.rows / 2,
      });
      return cpuMs / added;
    },
  });
  context.measured(
    'B vector insert',
    ratios(inserted.large, inserted.small),
    `${(1000 * medianOf(inserted.large)).toFixed(1)} µs a vector`,
  );
  context.control(
    'B vector insert',
    'writes half the scope anew with each batch',
    ratios(inserted.copied, inserted.small),
  );
}

/** Adds per CPU second, all processes counted, from the first vector to the graph that serves. */
export async function buildRate(
  context: BenchContext,
  set: VectorSet,
  faiss: PythonPeer | undefined,
): Promise<void> {
  if (!faiss) return context.absent('P3.9', 'faiss (Python)');
  const { dims } = set;
  const rows = Math.min(set.rows, scaled(context, 10_000, 1_000));
  const engine = await openVectorEngine(context, { dir: join(context.folder, 'builds'), flatMax: 100 });
  let built = 0;
  const ours = async () => {
    const scope = `build-${built++}`;
    const { tree } = await cpuDuring(engine.pid, async () => {
      await engine.ask({ kind: 'upsert', scope, dims, file: set.file, from: 0, until: rows, firstKey: 0 });
      await engine.ask({ kind: 'settle', scope, timeoutMs: 300_000 });
    });
    await engine.ask({ kind: 'drop', scope });
    return tree;
  };
  const theirs = async () =>
    (
      await faiss.ask<{ cpuMs: number }>({
        kind: 'build',
        file: set.file,
        dims,
        rows,
        m: 16,
        efConstruction: 128,
      })
    ).cpuMs;
  const costs = await interleaved(
    { rounds: Math.min(3, context.rounds) },
    { ours, theirs },
    { warmUp: false },
  );
  engine.close();
  const rate = (ms: readonly number[]) => Math.round((1000 * rows) / medianOf(ms));
  context.measured(
    'P3.9',
    ratios(costs.theirs, costs.ours),
    `${rate(costs.ours)} and ${rate(costs.theirs)} adds per CPU second, ${rows} vectors`,
  );
  // After a tenth, two tenths and so on: 1 + 2 + … + 10 tenths are built instead of ten.
  context.control(
    'P3.9',
    'builds anew after every tenth of the rows',
    ratios(
      costs.theirs,
      costs.ours.map((ms) => 5.5 * ms),
    ),
  );
}
