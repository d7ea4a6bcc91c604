import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensureInstalled } from './lib/install.mjs';
import { requireNode } from './lib/node-version.mjs';
import { root } from './lib/paths.mjs';

const usage = `npm run faults -- [NAME…] [--seed N] [--full] [--scale 1] [--json FILE] [--dist DIR] [--keep] [--docs] [--list]

Breaks servers of its own, in temporary folders, while clients write to them, and holds what is there afterwards
against what the clients were told. NAME is the id of a scenario, or a part of its name.

  --full       1,000 kills and 100,000 acknowledged writes, some hours; otherwise half an hour at most
  --seed N     the same again
  --scale N    share of the sizes, 0..1, for trying things out
  --points A,B the death points of R4 to try alone
  --dist DIR   breaks another build of the server
  --keep       leaves the ledgers behind

A run of everything renews docs/FAULTS.md; one of some scenarios with --docs renews their rows. Ends with 1 where anything was lost, stuck or wrong, or where a
server broken on purpose was not noticed.`;

requireNode([20, 9], 'npm run faults');
const words = process.argv.slice(2);
if (words.includes('--help')) {
  console.log(usage);
  process.exit(0);
}

await ensureInstalled({ dev: true });
const given = words.indexOf('--dist');
if (given < 0) {
  const { build } = await import('./build.mjs');
  await build();
}
const dist = given < 0 ? join(root, 'server', 'dist') : resolve(words[given + 1] ?? '');
const rest = given < 0 ? words : words.toSpliced(given, 2);
if (!existsSync(join(dist, 'main.js'))) throw new Error(`There is no server in ${dist}.`);

const { sourceImports } = await import('./build.mjs');
const folder = join(root, 'node_modules', `.fovea-faults-${process.pid}`);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
mkdirSync(folder, { recursive: true });
// A copy, for servers are started again and again, and somebody may build meanwhile.
const victims = join(folder, 'dist');
cpSync(dist, victims, { recursive: true, filter: (path) => !path.endsWith('node_modules') });
const esbuild = await import('esbuild');
await esbuild.build({
  entryPoints: ['main', 'job-worker-child']
    .map((name) => join(root, 'bench', 'faults', `${name}.ts`))
    .filter(existsSync),
  outdir: folder,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: 'inline',
  sourcesContent: false,
  logLevel: 'error',
  plugins: [sourceImports],
});
await esbuild.stop();

const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    join(folder, 'main.js'),
    '--main',
    join(victims, 'main.js'),
    '--job-worker',
    join(folder, 'job-worker-child.js'),
    '--page',
    join(root, 'docs', 'FAULTS.md'),
    ...rest,
  ],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
