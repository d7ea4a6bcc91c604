import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build, buildContract, sourceImports } from './build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { root } from './lib/paths.mjs';
import { filesBelow } from './lib/stamp.mjs';

const usage = `npm run bench -- [NAME…] [--rounds 5] [--scale 1] [--json FILE] [--docs] [--dist DIR] [--images DIR]
                       [--compare FILE] [--list]

Measures this build against peers and limits, side by side on this machine, and prints one table: each goal with
its median, minimum and maximum over the rounds, and whether it passes. NAME is the name or the folder of a bench; those that
take long run only by name.

  --scale N    share of the full sizes, 0..1, for trying things out
  --docs       renews docs/BENCHMARKS.md and docs/benchmarks.json; goals not measured now keep their rows
  --dist DIR   measures another build of the server
  --images DIR pictures for the bench "accuracy": a sub-folder for each set, with train/<label>/ and test/<label>/,
               or <label>/, or photographs alone
  --compare FILE  names the goals whose verdict differs from that of an earlier run (its --json)
  --list       names the benches and their goals
  --strict     ends with 1 where a goal is missed

Ends with 1 where a bench broke, or where a variant broken on purpose was not noticed.`;

// Some benches load onnxruntime by themselves; see server/src/domain/telemetry.ts.
process.env.ORT_DISABLE_TELEMETRY = '1';

const isSource = (path) => /\.(bench|child)\.ts$|-child\.ts$/.test(path) && !path.endsWith('.test.ts');

/** Compiles every bench, and every process that benches start, into one folder. */
async function compile(outDir) {
  const esbuild = await import('esbuild');
  const entries = [join(root, 'bench', 'run.ts'), ...filesBelow(['bench']).filter(isSource)];
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  await esbuild.build({
    entryPoints: entries,
    outdir: outDir,
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    keepNames: true,
    logLevel: 'error',
    plugins: [sourceImports],
  });
  await esbuild.stop();
  return entries.filter((path) => path.endsWith('.bench.ts'));
}

async function load(outDir, paths) {
  const found = await Promise.all(
    paths.map(async (path) => {
      const name = `${basename(path, '.ts')}.js`;
      const { default: bench } = await import(pathToFileURL(join(outDir, name)).href);
      return { bench, area: path.split(/[\\/]/).at(-2) };
    }),
  );
  return found.sort((a, b) => a.bench.name.localeCompare(b.bench.name));
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      json: { type: 'string' },
      docs: { type: 'boolean', default: false },
      dist: { type: 'string' },
      images: { type: 'string' },
      compare: { type: 'string' },
      list: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  await ensureInstalled({ dev: true });
  await buildContract();
  const outDir = join(root, 'node_modules', `.fovea-bench-${process.pid}`);
  process.on('exit', () => rmSync(outDir, { recursive: true, force: true }));
  const found = await load(outDir, await compile(outDir));
  const chosen = found
    .filter(
      ({ bench, area }) =>
        positionals.includes(bench.name) ||
        ((values.list || !bench.isOnlyNamed) && (positionals.length === 0 || positionals.includes(area))),
    )
    .map(({ bench }) => bench);
  const unknown = positionals.filter(
    (name) => !found.some(({ bench, area }) => [bench.name, area].includes(name)),
  );
  if (unknown.length > 0) throw new Error(`There is no bench called ${unknown.join(', ')}. Try --list.`);
  if (values.list) {
    for (const { name, about, goals } of chosen)
      console.log(`${name}: ${about} (${goals.map(({ id }) => id).join(', ')})`);
    return;
  }
  const [rounds, scale] = [Number(values.rounds), Number(values.scale)];
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1');
  if (!(scale > 0 && scale <= 1)) throw new Error('--scale lies above 0 and is at most 1');
  const earlier = values.compare && JSON.parse(readFileSync(resolve(values.compare), 'utf8'));
  if (!values.dist) await build();
  const serverMain = values.dist ? resolve(values.dist, 'main.js') : join(root, 'server', 'dist', 'main.js');
  if (!existsSync(serverMain)) throw new Error(`There is no server at ${serverMain}.`);
  const { runBenches } = await import(pathToFileURL(join(outDir, 'run.js')).href);
  const isSound = await runBenches({
    benches: chosen,
    rounds,
    scale,
    serverMain,
    images: values.images && resolve(values.images),
    jsonFile: values.json && resolve(values.json),
    docsFolder: values.docs ? join(root, 'docs') : undefined,
    isStrict: values.strict,
    earlier,
  });
  process.exitCode = isSound ? 0 : 1;
}

main().then(
  // Children that a broken bench left open must not hold up the end.
  () => process.exit(process.exitCode ?? 0),
  (error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
