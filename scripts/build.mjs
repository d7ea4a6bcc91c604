import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { root } from './lib/paths.mjs';
import { mustRun } from './lib/run.mjs';
import { contentDigestOf, digestOf, filesBelow, readStamp, writeStamp } from './lib/stamp.mjs';
import { elapsed, step } from './lib/steps.mjs';

const generator = join(root, 'contract', 'generate.mjs');
const serverSources = ['contract/src', 'contract/gen', 'server/src', 'server/package.json'];
const webSources = ['contract/src', 'contract/gen', 'web/src', 'web/package.json'];
const webAssets = new Set([
  '.html',
  '.css',
  '.svg',
  '.png',
  '.ico',
  '.json',
  '.txt',
  '.webmanifest',
  '.woff2',
]);

/**
 * Builds what is out of date: contract → server bundle → web page.
 *
 * Files under server/src named `*-worker.ts`, and `graph-process.ts`, run as threads or processes of their
 * own: each becomes `<name>.js` beside `main.js`.
 *
 * @param {{ outDir?: string, force?: boolean }} [options] `outDir`: where the server bundle goes, so that
 *   several people can build one tree side by side
 */
export async function build({ outDir = join(root, 'server', 'dist'), force = false } = {}) {
  await buildContract();
  await buildServer(outDir, force);
  await buildWeb(force);
}

/** The generator keeps its own stamp; it is not even started when nothing it reads has changed. */
async function buildContract() {
  if (!existsSync(generator)) return;
  const stampPath = join(root, 'node_modules', '.fovea-contract');
  const stamp = () => contentDigestOf(['contract/package.json', 'package-lock.json'], digestOf(['contract']));
  if (existsSync(join(root, 'contract', 'gen')) && readStamp(stampPath) === stamp()) return;
  await step('generating the contract', () => mustRun(process.execPath, [generator]));
  writeStamp(stampPath, stamp());
}

function serverEntries() {
  const isEntry = (path) => /(-worker|[\\/]graph-process)\.ts$/.test(path);
  const found = filesBelow(['server/src']).filter(isEntry);
  const main = join(root, 'server', 'src', 'main.ts');
  if (existsSync(main)) found.unshift(main);
  const names = found.map((path) => basename(path, '.ts'));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new Error(`Two entry files are called ${twice}.ts; the bundle lays them in one folder.`);
  return found;
}

async function buildServer(outDir, force) {
  const entries = serverEntries();
  const stampPath = join(outDir, '.stamp');
  const stamp = digestOf([...serverSources, 'scripts/build.mjs'], entries.join('\n'));
  const complete = entries.every((path) => existsSync(join(outDir, `${basename(path, '.ts')}.js`)));
  if (!force && complete && readStamp(stampPath) === stamp) return;
  await step('building the server', async () => {
    const esbuild = await import('esbuild');
    mkdirSync(outDir, { recursive: true });
    linkPackages(outDir);
    await esbuild.build({
      entryPoints: entries,
      outdir: outDir,
      entryNames: '[name]',
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: true,
      sourcesContent: false,
      keepNames: true,
      logLevel: 'error',
      plugins: [sourceImports],
    });
    await esbuild.stop();
  });
  writeStamp(stampPath, stamp);
}

/** A bundle outside the tree still has to find its packages. */
function linkPackages(outDir) {
  const link = join(outDir, 'node_modules');
  const inside = !relative(root, outDir).startsWith('..') && !isAbsolute(relative(root, outDir));
  if (!inside && !existsSync(link)) symlinkSync(join(root, 'node_modules'), link, 'junction');
}

/** `#x` and `@fovea/contract` are compiled in from source; every other package stays a package. */
export const sourceImports = {
  name: 'source-imports',
  setup(plan) {
    plan.onResolve({ filter: /^#/ }, ({ path }) => ({ path: join(root, 'server', 'src', path.slice(1)) }));
    plan.onResolve({ filter: /^@fovea\/contract(\/|$)/ }, ({ path }) => {
      const inner = path.split('/').slice(2).join('/') || 'index';
      return { path: join(root, 'contract', 'src', `${inner}.ts`) };
    });
    plan.onResolve({ filter: /^[^./#]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || isAbsolute(path) || path.startsWith('@fovea/')) return undefined;
      return { path, external: true };
    });
  },
};

/** The page is plain files plus, where there is one, a bundle per `web/src/*.ts` entry named in HTML. */
async function buildWeb(force) {
  const source = join(root, 'web', 'src');
  const outDir = join(root, 'web', 'dist');
  if (!existsSync(source)) return;
  const stampPath = join(outDir, '.stamp');
  const stamp = digestOf([...webSources, 'scripts/build.mjs']);
  if (!force && readStamp(stampPath) === stamp) return;
  await step('building the page', async () => {
    rmSync(outDir, { recursive: true, force: true });
    mkdirSync(outDir, { recursive: true });
    for (const path of filesBelow(['web/src'])) {
      if (!webAssets.has(extname(path))) continue;
      const target = join(outDir, relative(source, path));
      mkdirSync(dirname(target), { recursive: true });
      cpSync(path, target);
    }
    const entries = readdirSync(source)
      .filter((name) => /^(main|.*-worker)\.tsx?$/.test(name))
      .map((name) => join(source, name));
    if (entries.length === 0) return;
    const esbuild = await import('esbuild');
    await esbuild.build({
      entryPoints: entries,
      outdir: outDir,
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      sourcemap: true,
      logLevel: 'error',
      plugins: [contractImports],
    });
    await esbuild.stop();
  });
  writeStamp(stampPath, stamp);
}

const contractImports = {
  name: 'contract-imports',
  setup(plan) {
    plan.onResolve({ filter: /^@fovea\/contract(\/|$)/ }, ({ path }) => {
      const inner = path.split('/').slice(2).join('/') || 'index';
      return { path: join(root, 'contract', 'src', `${inner}.ts`) };
    });
  },
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: { out: { type: 'string' }, force: { type: 'boolean', default: false } },
  });
  try {
    await build({ outDir: values.out && resolve(values.out), force: values.force });
    console.log(`  built in ${elapsed()}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
