import { cpus } from 'node:os';
import type { Arena } from './arena.ts';
import type { Attack, Outcome } from './attack.ts';

export interface Verdict {
  readonly id: string;
  readonly name: string;
  readonly verdict: 'pass' | 'FAIL' | 'not judged';
  readonly tried: number;
  readonly through: readonly string[];
  readonly note: string;
  /** `caught` and how often, `MISSED`, or `none` where there is none. */
  readonly control: string;
  readonly elapsedMs: number;
}

/** Whether attacks, their negative controls, or both are run. */
export type Parts = 'both' | 'attacks' | 'controls';

/** Runs an attack and its negative control; an attack that throws, or whose control is missed, has failed. */
export async function verdictOf(attack: Attack, arena: Arena, parts: Parts): Promise<Verdict> {
  const began = performance.now();
  const about = { id: attack.id, name: attack.name };
  try {
    const outcome: Outcome = parts === 'controls' ? { tried: 0, through: [] } : await attack.run(arena);
    const dead = arena.server.process.exitCode !== null || arena.server.process.signalCode !== null;
    const through = dead ? [...outcome.through, 'the server ended'] : outcome.through;
    const control = parts === 'attacks' ? 'not run' : await controlOf(attack, arena);
    const failed = through.length > 0 || control.startsWith('MISSED');
    return {
      ...about,
      verdict: outcome.notJudged ? 'not judged' : failed ? 'FAIL' : 'pass',
      tried: outcome.tried,
      through,
      note: outcome.notJudged ?? outcome.note ?? '',
      control,
      elapsedMs: performance.now() - began,
    };
  } catch (error) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      ...about,
      verdict: 'FAIL',
      tried: 0,
      through: [`the attack itself broke: ${words}`],
      note: '',
      control: 'not run',
      elapsedMs: performance.now() - began,
    };
  }
}

async function controlOf(attack: Attack, arena: Arena): Promise<string> {
  if (!attack.control) return 'none';
  const { through } = await attack.control(arena);
  return through.length > 0 ? `caught (${through.length})` : 'MISSED';
}

/** The page that stands in docs/. */
export function showTable(report: {
  seed: number;
  full: boolean;
  elapsedMs: number;
  calls: number;
  verdicts: readonly Verdict[];
}): string {
  const rows = report.verdicts.map(
    (one) =>
      `| ${one.id} | ${one.name} | ${one.tried.toLocaleString('en')} | ${one.through.length} | ${one.verdict} | ${one.control} | ${one.note.replaceAll('|', '/')} |`,
  );
  const found = report.verdicts
    .filter((one) => one.through.length > 0)
    .flatMap((one) => [
      `### ${one.id}`,
      '',
      ...one.through.slice(0, 20).map((line) => `- ${line.replaceAll('|', '/')}`),
      '',
    ]);
  return `${[
    '# Attacks',
    '',
    'Written by `npm run attacks`; edit the harness in `bench/attacks/`, not this page. The ids are those of the',
    'attack checklist that the project is held against. "Through" must be 0. A control is the same judge before',
    'something broken on purpose, and must be caught. All of it takes about a quarter of an hour.',
    '',
    `Seed ${report.seed}, ${report.full ? 'full' : 'short'} mode, ${Math.round(report.elapsedMs / 1000)} s, ${report.calls.toLocaleString('en')} replies watched, ${cpus().length} cores, Node ${process.versions.node}.`,
    '',
    '| id | attack | tried | through | verdict | control | note |',
    '| --- | --- | ---: | ---: | --- | --- | --- |',
    ...rows,
    '',
    ...(found.length > 0 ? ['## What got through', '', ...found] : []),
  ]
    .join('\n')
    .trimEnd()}\n`;
}
