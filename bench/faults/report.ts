import { markdownTable } from '../harness/tables.ts';
import { isClean, type Outcome, type Scenario } from './scenario.ts';

export type Verdict = 'pass' | 'FAIL' | 'caught' | 'NOT CAUGHT' | 'BROKE' | 'absent';

/** @param broken why the scenario itself did not come to its end */
export function verdictOf(
  { isControl }: Pick<Scenario, 'isControl'>,
  { found, absent }: Pick<Outcome, 'found' | 'absent'>,
  broken?: string,
): Verdict {
  if (broken !== undefined) return 'BROKE';
  if (absent !== undefined) return 'absent';
  if (isControl) return isClean(found) ? 'NOT CAUGHT' : 'caught';
  return isClean(found) ? 'pass' : 'FAIL';
}

export interface Row extends Outcome {
  readonly id: string;
  readonly name: string;
  readonly seed: number;
  readonly verdict: Verdict;
  readonly broken?: string | undefined;
  readonly elapsedMs: number;
  /** When it began, as ISO 8601. */
  readonly at: string;
}

export interface Run {
  readonly at: string;
  readonly machine: string;
  readonly seed: number;
  readonly isFull: boolean;
  readonly scale: number;
  readonly elapsedMs: number;
  readonly rows: readonly Row[];
}

const seconds = (ms: number | undefined) => (ms === undefined ? '' : (ms / 1000).toFixed(2));

function recovery(ms: readonly number[]): [string, string] {
  const sorted = [...ms].sort((a, b) => a - b);
  return [seconds(sorted[sorted.length >> 1]), seconds(sorted.at(-1))];
}

/** The cells of the table, headings first. */
export function cellsOf(rows: readonly Row[]): string[][] {
  return [
    [
      '',
      'scenario',
      'kills',
      'acknowledged',
      'lost',
      'stuck',
      'other',
      'recovery s',
      'max s',
      'verdict',
      'seed',
      'day',
      'minutes',
      'aside',
    ],
    ...rows.map(
      ({
        id,
        name,
        kills,
        acknowledged,
        found,
        recoveriesMs,
        verdict,
        seed,
        at,
        elapsedMs,
        absent,
        aside,
      }) => [
        id,
        name,
        String(kills),
        String(acknowledged),
        String(found.lost.length),
        String(found.stuck.length),
        String(found.other.length),
        ...recovery(recoveriesMs),
        verdict,
        String(seed),
        at.slice(0, 10),
        (elapsedMs / 60_000).toFixed(1),
        absent ?? aside,
      ],
    ),
  ];
}

export { plainTable } from '../harness/tables.ts';

/**
 * Whatever a mode's table held before, with the rows of this run in place of older ones, in the order of `ids`. What could
 * not be run here takes no place of what was run elsewhere.
 */
export function mergedRows(before: readonly Row[], now: readonly Row[], ids: readonly string[]): Row[] {
  const rows = new Map(before.map((row) => [row.id, row]));
  for (const row of now) if (row.verdict !== 'absent' || !rows.has(row.id)) rows.set(row.id, row);
  return ids.flatMap((id) => rows.get(id) ?? []);
}

/** The page keeps a table for each mode. */
const edgeOf = (kind: string, edge: 'begin' | 'end') =>
  `<!-- written by npm run faults, ${kind} mode: ${edge} -->`;

const killIds: readonly string[] = ['R1', 'R2', 'R3'];

/** The page with the table of a mode renewed; what people wrote around it stays. */
export function pageOf(page: string, { rows, isFull, machine }: Run): string {
  const kind = isFull ? 'full' : 'short';
  const kills = rows.filter(({ id }) => killIds.includes(id)).reduce((sum, row) => sum + row.kills, 0);
  const acknowledged = rows.reduce((sum, row) => sum + (row.verdict === 'caught' ? 0 : row.acknowledged), 0);
  const minutes = Math.round(rows.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) / 60_000);
  const broken = rows.flatMap(({ id, found, verdict, broken: why }) =>
    verdict === 'FAIL'
      ? [...found.lost, ...found.stuck, ...found.other].slice(0, 5).map((words) => `- ${id}: ${words}`)
      : why !== undefined
        ? [`- ${id} broke: ${why.split('\n')[0]}`]
        : [],
  );
  const [begin, end] = [edgeOf(kind, 'begin'), edgeOf(kind, 'end')];
  const text = [
    begin,
    '',
    `The latest run of each scenario in the ${kind} mode, ${minutes} minutes in all, the last on ${machine}. ` +
      `${kills} kills in R1 to R3; ${acknowledged} acknowledged writes outside the controls.`,
    '',
    markdownTable(cellsOf(rows)),
    '',
    ...(broken.length > 0 ? ['What was found, the first of each:', '', ...broken, ''] : []),
    end,
  ].join('\n');
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  return from < 0 || to < 0
    ? `${page.trimEnd()}\n\n${text}\n`
    : page.slice(0, from) + text + page.slice(to + end.length);
}
