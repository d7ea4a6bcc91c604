import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { atExit, removeFolder } from './at-exit.ts';
import { deathPointScenarios } from './death-points.ts';
import { diskScenarios } from './disk.ts';
import { jobScenarios } from './jobs.ts';
import { killScenarios } from './kills.ts';
import { lifecycleScenarios } from './lifecycle.ts';
import { randomFrom } from './random.ts';
import { cellsOf, mergedRows, pageOf, plainTable, type Row, type Run, verdictOf } from './report.ts';
import { requestScenarios } from './requests.ts';
import { newOutcome, type Scenario } from './scenario.ts';
import { surroundingScenarios } from './surroundings.ts';

const scenarios: readonly Scenario[] = [
  ...killScenarios,
  ...deathPointScenarios,
  ...jobScenarios,
  ...requestScenarios,
  ...surroundingScenarios,
  ...diskScenarios,
  ...lifecycleScenarios,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    full: { type: 'boolean', default: false },
    scale: { type: 'string', default: '1' },
    points: { type: 'string', default: '' },
    main: { type: 'string' },
    'job-worker': { type: 'string' },
    json: { type: 'string' },
    page: { type: 'string' },
    docs: { type: 'boolean', default: false },
    port: { type: 'string' },
    keep: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const scale = Number(values.scale);
if (!Number.isInteger(seed) || !(scale > 0 && scale <= 1)) {
  console.error('--seed is a whole number; --scale lies above 0 and is at most 1.');
  process.exit(2);
}
const wanted = positionals.map((name) => name.toUpperCase());
const chosen = scenarios.filter(
  ({ id, name }) =>
    wanted.length === 0 || wanted.includes(id) || wanted.some((word) => name.toUpperCase().includes(word)),
);
if (values.list || chosen.length === 0) {
  for (const { id, name } of scenarios) console.log(`  ${id.padEnd(4)} ${name}`);
  process.exit(values.list ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), 'fovea-faults-'));
if (!values.keep) atExit(() => removeFolder(folder));
const again = [
  ...positionals,
  `--seed ${seed}`,
  ...(values.full ? ['--full'] : []),
  ...(scale < 1 ? [`--scale ${scale}`] : []),
  ...(values.points ? [`--points ${values.points}`] : []),
].join(' ');
console.log(`  seed ${seed}; the same again: npm run faults -- ${again}`);
const began = Date.now();
const rows: Row[] = [];
/**
 * Ports of this run alone, below those that the system gives out: a server that is killed and started again keeps its
 * port, and two runs side by side must not talk to each other's servers.
 */
const portsPerRun = 10;
const firstPort = Number(values.port ?? 18_000 + portsPerRun * (process.pid % 1_000));
let ports = 0;
for (const scenario of chosen) {
  const { id, name } = scenario;
  const own = join(folder, id);
  mkdirSync(own);
  const outcome = newOutcome();
  const startedMs = Date.now();
  let broken: string | undefined;
  const context = {
    main: values.main as string,
    jobWorker: values['job-worker'] as string,
    // Of the seed and the name alone, so that one scenario can be repeated without the others.
    random: randomFrom(seed ^ [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) | 0, 7)),
    isFull: values.full,
    scale,
    points: values.points.split(',').filter((point) => point !== ''),
    folder: own,
    port: () => firstPort + (ports++ % portsPerRun),
    say: (words: string) => console.log(`  ${id}: ${words}`),
  };
  try {
    await scenario.run(context, outcome);
  } catch (error) {
    broken = error instanceof Error ? (error.stack ?? error.message) : String(error);
    console.log(`  ${id} broke: ${broken}`);
  }
  const verdict = verdictOf(scenario, outcome, broken);
  const elapsedMs = Date.now() - startedMs;
  const recoveriesMs = outcome.recoveriesMs.map(Math.round);
  const at = new Date(startedMs).toISOString();
  rows.push({ id, name, seed, verdict, broken, elapsedMs, at, ...outcome, recoveriesMs });
  if (verdict === 'FAIL')
    for (const words of [...outcome.found.lost, ...outcome.found.stuck, ...outcome.found.other].slice(0, 8))
      console.log(`    ${words}`);
  console.log(`  ${verdict.padEnd(10)} ${id} ${name} (${Math.round(elapsedMs / 1000)} s)`);
  if (!values.keep) removeFolder(own);
}
if (values.keep) console.log(`  kept in ${folder}`);

const run: Run = {
  at: new Date().toISOString(),
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.versions.node}`,
  seed,
  isFull: values.full,
  scale,
  elapsedMs: Date.now() - began,
  rows,
};
console.log(`\n${plainTable(cellsOf(rows))}\n`);
const isGood = rows.every(({ verdict }) => ['pass', 'caught', 'absent'].includes(verdict));
for (const { id, absent } of rows) if (absent !== undefined) console.log(`  ${id} was not run: ${absent}`);
console.log(
  `  ${isGood ? 'all as it must be' : `NOT GOOD; repeat with --seed ${seed}`}; ${Math.round(run.elapsedMs / 1000)} s`,
);
if (values.json) {
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, jsonOf(run));
}
const isWhole = wanted.length === 0;
if (values.page && scale === 1 && values.points === '' && (isWhole || values.docs)) {
  const file = join(dirname(values.page), values.full ? 'faults-full.json' : 'faults.json');
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run).rows : [];
  const kept: Run = {
    ...run,
    rows: mergedRows(
      before,
      rows,
      scenarios.map(({ id }) => id),
    ),
  };
  writeFileSync(values.page, pageOf(readFileSync(values.page, 'utf8'), kept));
  writeFileSync(file, jsonOf(kept));
}
process.exitCode = isGood ? 0 : 1;

function jsonOf(value: Run): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
