import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { plainTable } from '../harness/tables.ts';
import { openArena } from './arena.ts';
import type { Attack } from './attack.ts';
import { authorityAttacks } from './authority.ts';
import { connectionAttacks } from './connections.ts';
import { exposureAttacks, lastAttacks } from './exposure.ts';
import { fetchingAttacks } from './fetching.ts';
import { fileAttacks } from './files.ts';
import { fuzzAttacks } from './fuzz.ts';
import { markAttacks } from './marks.ts';
import { mediaAttacks } from './media.ts';
import { nestedAttacks } from './nested.ts';
import { oracleAttacks } from './oracles.ts';
import { originAttacks } from './origins.ts';
import { packageAttacks } from './packages.ts';
import { pageAttacks } from './page.ts';
import { protocolAttacks } from './protocol.ts';
import { showTable, type Verdict, verdictOf } from './report.ts';
import { sessionAttacks } from './sessions.ts';
import { siteAttacks } from './sites.ts';
import { strangerAttacks } from './strangers.ts';

const attacks: readonly Attack[] = [
  ...strangerAttacks,
  ...nestedAttacks,
  ...authorityAttacks,
  ...fetchingAttacks,
  ...siteAttacks,
  ...fuzzAttacks,
  ...markAttacks,
  ...protocolAttacks,
  ...connectionAttacks,
  ...mediaAttacks,
  ...fileAttacks,
  ...packageAttacks,
  ...oracleAttacks,
  ...sessionAttacks,
  ...exposureAttacks,
  ...pageAttacks,
  ...originAttacks,
  ...lastAttacks,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    full: { type: 'boolean', default: false },
    main: { type: 'string' },
    json: { type: 'string' },
    doc: { type: 'string' },
    controls: { type: 'boolean', default: true },
    'only-controls': { type: 'boolean', default: false },
  },
  allowNegative: true,
});

const parts = values['only-controls'] ? 'controls' : values.controls ? 'both' : 'attacks';
const wanted = positionals.map((name) => name.toUpperCase());
const chosen = attacks.filter(
  (attack) =>
    (parts !== 'controls' || attack.control) &&
    (wanted.length === 0 ||
      wanted.includes(attack.id.toUpperCase()) ||
      wanted.some((word) => attack.name.toUpperCase().includes(word))),
);
if (chosen.length === 0) {
  console.error(
    `No attack is called ${positionals.join(', ')}. There are ${attacks.map((attack) => attack.id).join(', ')}.`,
  );
  process.exit(2);
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
console.log(
  `  seed ${seed}; the same again: npm run attacks -- ${[...positionals, `--seed ${seed}`, ...(values.full ? ['--full'] : [])].join(' ')}`,
);
const began = Date.now();
const stage = await openArena({ seed, full: values.full, main: values.main as string }).catch(
  (error: Error) => {
    console.error(`  BROKEN OFF: there is no server to attack: ${error.message}`);
    process.exit(1);
  },
);
const verdicts: Verdict[] = [];
let lost: string | undefined;
try {
  for (const attack of chosen) {
    stage.during(attack.id);
    const verdict = await Promise.race([verdictOf(attack, stage.arena, parts), stage.lost]);
    if (typeof verdict === 'string') {
      lost = `during ${attack.id} ${verdict}`;
      console.log(`  ${lost}`);
      break;
    }
    verdicts.push(verdict);
    console.log(
      `  ${verdict.verdict.padEnd(10)} ${attack.id.padEnd(5)} ${attack.name}: ${verdict.tried} tried, ${verdict.through.length} through, control ${verdict.control} (${Math.round(verdict.elapsedMs / 1000)} s)`,
    );
    for (const line of verdict.through.slice(0, 12)) console.log(`      ${line}`);
    if (verdict.through.length > 12) console.log(`      … and ${verdict.through.length - 12} more`);
  }
} finally {
  await stage.close();
}
const report = {
  seed,
  full: values.full,
  elapsedMs: Date.now() - began,
  calls: stage.arena.answers.count,
  verdicts,
  ...(lost === undefined ? {} : { lost }),
};
if (values.json) {
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
if (values.doc && wanted.length === 0 && parts === 'both' && lost === undefined)
  writeFileSync(values.doc, showTable(report));
const bad = verdicts.filter((one) => one.verdict === 'FAIL');
const rows = verdicts.map((one) => [
  one.id,
  one.name,
  String(one.tried),
  String(one.through.length),
  one.verdict,
  one.control,
]);
console.log(`\n${plainTable([['', 'attack', 'tried', 'through', 'verdict', 'control'], ...rows])}\n`);
if (lost !== undefined)
  console.log(`  BROKEN OFF: ${lost}; ${chosen.length - verdicts.length} attacks did not come to an end`);
console.log(
  `  ${verdicts.length - bad.length} of ${chosen.length} attacks stopped; ${report.calls} replies watched; ${Math.round(report.elapsedMs / 1000)} s`,
);
process.exitCode = bad.length === 0 && lost === undefined ? 0 : 1;
// Calls to a server that was lost would be waited for.
if (lost !== undefined) process.exit();
