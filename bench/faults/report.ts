import { markdownTable } from '../harness/tables.ts';
import type { Outcome } from './scenario.ts';

export interface Row extends Outcome {
  readonly id: string;
  readonly name: string;
  readonly seed: number;
  readonly verdict: string;
  readonly broken?: string | undefined;
  readonly elapsedMs: number;
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
      'aside',
    ],
    ...rows.map(({ id, name, kills, acknowledged, found, recoveriesMs, verdict, seed, aside }) => [
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
      aside,
    ]),
  ];
}

export { plainTable } from '../harness/tables.ts';

const begins = '<!-- written by npm run faults: begin -->';
const ends = '<!-- written by npm run faults: end -->';

/** The page with its table renewed; what people wrote around it stays. */
export function pageOf(page: string, run: Run): string {
  const kills = run.rows
    .filter(({ id }) => ['R1', 'R2', 'R3'].includes(id))
    .reduce((sum, row) => sum + row.kills, 0);
  const acknowledged = run.rows.reduce(
    (sum, row) => sum + (row.verdict === 'caught' ? 0 : row.acknowledged),
    0,
  );
  const broken = run.rows.flatMap(({ id, found, verdict }) =>
    verdict === 'FAIL'
      ? [...found.lost, ...found.stuck, ...found.other].slice(0, 5).map((words) => `- ${id}: ${words}`)
      : [],
  );
  const text = [
    begins,
    '',
    `Run ${run.at.slice(0, 10)}, ${run.isFull ? 'full' : 'short'} mode, ${Math.round(run.elapsedMs / 60_000)} minutes, on ${run.machine}. ` +
      `${kills} kills in R1 to R3; ${acknowledged} acknowledged writes outside the controls.`,
    '',
    markdownTable(cellsOf(run.rows)),
    '',
    ...(broken.length > 0 ? ['What was found, the first of each:', '', ...broken, ''] : []),
    ends,
  ].join('\n');
  const [from, to] = [page.indexOf(begins), page.indexOf(ends)];
  return from < 0 || to < 0
    ? `${page.trimEnd()}\n\n${text}\n`
    : page.slice(0, from) + text + page.slice(to + ends.length);
}
