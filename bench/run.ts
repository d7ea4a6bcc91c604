import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Bench, BenchContext } from './harness/bench.ts';
import { boundsOf, judge, medianOf, spreadOf } from './harness/judge.ts';
import { noiseBetween, probe } from './harness/probes.ts';
import { endChildren } from './harness/processes.ts';
import { readOr } from './harness/read-or.ts';
import {
  cellsOf,
  changedVerdicts,
  figure,
  type KeptTable,
  type Machine,
  mergedRows,
  mergedTables,
  pageOf,
  plainTable,
  type Report,
  type Row,
} from './harness/report.ts';
import { pinning } from './harness/server.ts';

export interface RunOptions {
  readonly benches: readonly Bench[];
  readonly rounds: number;
  readonly scale: number;
  readonly serverMain: string;
  readonly images?: string | undefined;
  readonly jsonFile?: string;
  /** Folder of BENCHMARKS.md and benchmarks.json, when they are to be renewed. */
  readonly docsFolder?: string;
  /** Ends badly where a goal is missed, too. */
  readonly isStrict?: boolean;
  /** A report of an earlier run whose verdicts are compared with these. */
  readonly earlier?: Report;
}

type Table = Pick<KeptTable, 'title' | 'cells'>;

interface Found {
  samples: readonly number[];
  aside?: string;
  control?: { broken: string; samples: readonly number[] };
  isAbsent?: boolean;
}

interface Outcome {
  readonly bench: Bench;
  readonly found: Map<string, Found>;
  readonly tables: Table[];
  /** Probes that moved while it ran, in words. */
  readonly noise: readonly string[];
  readonly error: string | undefined;
}

/** A run that is broken off leaves nothing behind either. */
let isBreakingOff = false;

async function breakOff(folder: string): Promise<void> {
  isBreakingOff = true;
  await endChildren();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(130);
}

/** Runs benches one after the other. @returns false where a harness could not show that it can fail, or broke */
export async function runBenches(options: RunOptions): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-bench-'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void breakOff(folder));
  try {
    // Probed between any two benches: over an hour a machine changes, and one noisy bench is no reason to judge none.
    let before = probe(folder);
    const outcomes: Outcome[] = [];
    for (const bench of options.benches) {
      const outcome = await runOne(bench, options, join(folder, bench.name));
      const after = probe(folder);
      outcomes.push({ ...outcome, noise: noiseBetween(before, after) });
      before = after;
    }
    const noise = outcomes.flatMap(({ bench, noise: moved }) =>
      moved.length > 0 ? `${bench.name}: ${moved.join(', ')}` : [],
    );
    const rows = outcomes.flatMap(({ bench, found, noise: moved }) =>
      bench.goals.map((goal) => rowOf(bench.name, goal, found.get(goal.id), moved.length > 0)),
    );
    const { rounds, scale } = options;
    const at = new Date().toISOString();
    const tables = outcomes.flatMap((one) =>
      one.tables.map((table) => ({ ...table, at, scale, isNoisy: one.noise.length > 0 })),
    );
    const report: Report = { at, machine: machine(), rounds, scale, noise, rows, tables };
    show(report);
    if (options.earlier) compare(options.earlier, report);
    keep(report, options);
    const broken = outcomes.filter(({ error }) => error !== undefined);
    for (const { bench, error } of broken) console.log(`  ${bench.name} broke: ${error}`);
    const isMissed = options.isStrict && rows.some(({ verdict }) => verdict === 'missed');
    // Controls are meant for full sizes: what grows does not show on small ones.
    const areCaught = scale < 1 || rows.every(({ control }) => control?.isCaught ?? true);
    return broken.length === 0 && !isMissed && areCaught;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runOne(bench: Bench, options: RunOptions, folder: string) {
  const found = new Map<string, Found>();
  const tables: Table[] = [];
  const undos: (() => Promise<void> | void)[] = [];
  const began = performance.now();
  mkdirSync(folder, { recursive: true });
  const at = (goalId: string): Found => {
    if (!bench.goals.some(({ id }) => id === goalId)) throw new Error(`${bench.name} has no goal ${goalId}`);
    const known = found.get(goalId) ?? { samples: [] };
    found.set(goalId, known);
    return known;
  };
  const context: BenchContext = {
    rounds: options.rounds,
    scale: options.scale,
    serverMain: options.serverMain,
    folder,
    images: options.images,
    table: (title, cells) => void tables.push({ title, cells }),
    say: (words) => console.log(`  ${bench.name}: ${words}`),
    measured(goalId, samples, aside) {
      Object.assign(at(goalId), { samples, aside });
      const unit = bench.goals.find(({ id }) => id === goalId)?.unit ?? '';
      console.log(
        `  ${bench.name}: ${goalId} ${samples.map((one) => figure(one, unit)).join(' ')}${aside ? `  (${aside})` : ''}`,
      );
    },
    control(goalId, broken, samples) {
      at(goalId).control = { broken, samples };
    },
    absent(goalId, peer) {
      Object.assign(at(goalId), { isAbsent: true, aside: `${peer} is not here` });
    },
    sameAnswer(what, ours, theirs) {
      if (isDeepStrictEqual(ours, theirs)) return;
      const words = (value: unknown) => JSON.stringify(value)?.slice(0, 200);
      throw new Error(`${what}: the two sides answer differently: ${words(ours)} and ${words(theirs)}`);
    },
    defer: (undo) => void undos.unshift(undo),
  };
  let error: string | undefined;
  try {
    await bench.run(context);
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    if (!isBreakingOff) context.say(`broke: ${error}`);
  }
  // What broke then broke because its processes were ended; `breakOff` ends this one.
  if (isBreakingOff) await new Promise(() => {});
  for (const undo of undos) await undo();
  rmSync(folder, { recursive: true, force: true });
  context.say(`took ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return { bench, found, tables, error };
}

function rowOf(bench: string, goal: Bench['goals'][number], found: Found | undefined, isNoisy: boolean): Row {
  const { samples = [], aside, control, isAbsent } = found ?? {};
  if (samples.length === 0)
    return { bench, goal, samples, verdict: isAbsent ? 'absent' : 'not measured', aside };
  const bounds = boundsOf(samples);
  return {
    bench,
    goal,
    samples,
    aside,
    verdict: judge(goal, samples, isNoisy),
    spread: spreadOf(samples),
    bound: goal.better === 'lower' ? bounds.lower : bounds.upper,
    ...(control && {
      control: {
        broken: control.broken,
        median: medianOf(control.samples),
        isCaught: judge(goal, control.samples, false) === 'missed',
      },
    }),
  };
}

function show({ noise, rows, scale, tables }: Report): void {
  console.log(`\n${plainTable(cellsOf(rows))}\n`);
  for (const { title, cells } of tables ?? []) console.log(`  ${title}\n\n${plainTable(cells)}\n`);
  if (noise.length > 0)
    console.log(`  NOISY machine, latencies of these are not judged: ${noise.join('; ')}`);
  for (const { goal, control } of rows) {
    if (control && !control.isCaught)
      console.log(
        `  ${goal.id}: the harness did not notice: ${control.broken}${scale < 1 ? ' (sizes are reduced)' : ''}`,
      );
  }
}

function compare(earlier: Report, report: Report): void {
  const changed = changedVerdicts(earlier.rows, report.rows);
  console.log(
    `  beside the run of ${earlier.at}: ${changed.length === 0 ? 'no verdict changed' : `changed: ${changed.join('; ')}`}`,
  );
}

function keep(report: Report, { jsonFile, docsFolder }: RunOptions): void {
  const text = (value: Report) => `${JSON.stringify(value, null, 2)}\n`;
  if (jsonFile) writeFileSync(jsonFile, text(report));
  if (!docsFolder) return;
  const [page, json] = [join(docsFolder, 'BENCHMARKS.md'), join(docsFolder, 'benchmarks.json')];
  const before = readOr(json, '{"rows":[]}');
  const earlier = JSON.parse(before) as Report;
  const merged = {
    ...report,
    rows: mergedRows(earlier.rows, report.rows),
    tables: mergedTables(earlier.tables ?? [], report.tables ?? []),
  };
  writeFileSync(json, text(merged));
  writeFileSync(page, pageOf(readOr(page, '# Benchmarks\n'), merged));
}

const machine = (): Machine => ({
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node,
  pinning,
});
