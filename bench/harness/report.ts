import type { Goal } from './bench.ts';
import type { Spread, Verdict } from './judge.ts';
import { markdownTable } from './tables.ts';

export interface Row {
  readonly bench: string;
  readonly goal: Goal;
  readonly verdict: Verdict;
  readonly spread?: Spread;
  /** The 80 % bound of the median that the goal was held against. */
  readonly bound?: number;
  readonly samples: readonly number[];
  readonly aside?: string;
  /** The variant broken on purpose, and whether it was caught. */
  readonly control?: { broken: string; median: number; isCaught: boolean };
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly pinning: string;
}

export interface Report {
  readonly at: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly scale: number;
  /** Benches during which a probe moved by more than a quarter, in words; empty on a quiet machine. */
  readonly noise: readonly string[];
  readonly rows: readonly Row[];
  readonly tables?: readonly KeptTable[];
}

/** What a bench shows beside its goals. */
export interface KeptTable {
  readonly title: string;
  /** Headings first. */
  readonly cells: readonly string[][];
  /** When it was measured, for tables outlast the runs of other benches. */
  readonly at: string;
  /** Share of the full sizes, 0..1. */
  readonly scale: number;
  readonly isNoisy: boolean;
}

export const figure = (value: number, unit: string): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${unit === 'x' ? '×' : unit ? ` ${unit}` : ''}`;
};

const barOf = ({ better, unit }: Goal, value: number): string =>
  `${better === 'lower' ? '≤' : '≥'} ${figure(value, unit)}`;

/** The cells of a table, headings first. */
export function cellsOf(rows: readonly Row[]): string[][] {
  return [
    ['goal', 'what', 'median', 'min', 'max', 'pass', 'record', 'verdict', 'control', 'aside'],
    ...rows.map(({ goal, verdict, spread, control, aside }) => [
      goal.id,
      goal.what,
      ...(spread
        ? [spread.median, spread.min, spread.max].map((value) => figure(value, goal.unit))
        : ['', '', '']),
      barOf(goal, goal.pass),
      barOf(goal, goal.record),
      verdict,
      control ? `${control.isCaught ? 'caught' : 'NOT CAUGHT'} (${figure(control.median, goal.unit)})` : '',
      aside ?? '',
    ]),
  ];
}

export { plainTable } from './tables.ts';

const begins = '<!-- written by npm run bench -- --docs: begin -->';
const ends = '<!-- written by npm run bench -- --docs: end -->';

/** The page with its tables renewed; what people wrote around them stays. */
export function pageOf(page: string, report: Report): string {
  const { machine, noise } = report;
  const controls = report.rows.flatMap(({ goal, control }) =>
    control ? [`- ${goal.id}: ${control.broken}`] : [],
  );
  const text = [
    begins,
    '',
    `Measured ${report.at.slice(0, 10)} on ${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, Node ${machine.node}; ` +
      `${report.rounds} rounds, sizes at ${Math.round(report.scale * 100)} %. Pinning: ${machine.pinning}.`,
    '',
    noise.length > 0
      ? `NOISY: the calibration probes moved during these benches, so their latencies are not judged: ${noise.join('; ')}.`
      : 'The calibration probes agree before and after each bench.',
    '',
    markdownTable(cellsOf(report.rows)),
    '',
    'Controls, each a variant broken on purpose that has to come out as missed:',
    '',
    ...controls,
    '',
    ...(report.tables ?? []).flatMap(({ title, cells, at, scale, isNoisy }) => [
      `### ${title}`,
      '',
      `Measured ${at.slice(0, 10)}, sizes at ${Math.round(scale * 100)} %${isNoisy ? ', on a busy machine: times mean little' : ''}.`,
      '',
      markdownTable(cells),
      '',
    ]),
    ends,
  ].join('\n');
  const [from, to] = [page.indexOf(begins), page.indexOf(ends)];
  return from < 0 || to < 0
    ? `${page.trimEnd()}\n\n${text}\n`
    : page.slice(0, from) + text + page.slice(to + ends.length);
}

/** The same for tables, by their titles. */
export function mergedTables(before: readonly KeptTable[], now: readonly KeptTable[]): KeptTable[] {
  const renewed = new Set(now.map(({ title }) => title));
  return [...before.filter(({ title }) => !renewed.has(title)), ...now];
}

/** Goals measured now take the place of those measured before. */
export function mergedRows(before: readonly Row[], now: readonly Row[]): Row[] {
  const measured = new Map(now.map((row) => [row.goal.id, row]));
  const known = new Set(before.map(({ goal }) => goal.id));
  const merged = [
    ...before.map((row) => measured.get(row.goal.id) ?? row),
    ...now.filter(({ goal }) => !known.has(goal.id)),
  ];
  return merged.sort((a, b) => a.goal.id.localeCompare(b.goal.id, 'en', { numeric: true }));
}

/**
 * Goals that were reached in one run and missed in the other, in words. What either run did not measure or judge says
 * nothing, and whether a goal that is reached is a record as well is the luck of the day.
 */
export function changedVerdicts(before: readonly Row[], now: readonly Row[]): string[] {
  const isMissed = ({ verdict }: Row) =>
    ['record', 'pass', 'missed'].includes(verdict) ? verdict === 'missed' : undefined;
  return now.flatMap((row) => {
    const known = before.find(({ goal }) => goal.id === row.goal.id);
    const [was, is] = [known && isMissed(known), isMissed(row)];
    if (was === undefined || is === undefined || was === is) return [];
    return [`${row.goal.id} ${known?.verdict} → ${row.verdict}`];
  });
}
