import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { root } from './lib/paths.mjs';
import { mustRun } from './lib/run.mjs';
import { contentDigestOf, digestOf, filesBelow, readStamp, writeStamp } from './lib/stamp.mjs';
import { elapsed, step } from './lib/steps.mjs';

const generator = join(root, 'contract', 'generate.mjs');
const serverSources = ['contract/src', 'contract/gen', 'formats/src', 'server/src', 'server/package.json'];
const webSources = ['contract/src/rest.ts', 'contract/gen/rest.ts', 'web/src', 'web/package.json'];
const webAssets = new Set(['.svg', '.png', '.ico', '.txt', '.webmanifest', '.woff2']);

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

/**
 * All that compiles our sources needs of a fresh clone. The generator keeps its own stamp; it is not even started
 * when nothing it reads has changed.
 */
export async function buildContract() {
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
      // Names kept cost: each inner function is given its name anew whenever it is made.
      keepNames: false,
      logLevel: 'error',
      plugins: [sourceImports],
    });
    await esbuild.stop();
  });
  writeStamp(stampPath, stamp);
}

const cliSources = ['formats/src', 'cli/src', 'cli/package.json'];

/** The `fovea` command, built when it is first called; needs the contract no more than the page does. */
export async function buildCli() {
  const outDir = join(root, 'cli', 'dist');
  const stampPath = join(outDir, '.stamp');
  const stamp = digestOf([...cliSources, 'scripts/build.mjs']);
  if (existsSync(join(outDir, 'main.js')) && readStamp(stampPath) === stamp) return;
  const esbuild = await import('esbuild');
  await esbuild.build({
    entryPoints: [join(root, 'cli', 'src', 'main.ts')],
    outfile: join(outDir, 'main.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
    plugins: [sourceImports],
  });
  await esbuild.stop();
  writeStamp(stampPath, stamp);
}

/** A bundle outside the tree still has to find its packages. */
function linkPackages(outDir) {
  const link = join(outDir, 'node_modules');
  const inside = !relative(root, outDir).startsWith('..') && !isAbsolute(relative(root, outDir));
  if (!inside && !existsSync(link)) symlinkSync(join(root, 'node_modules'), link, 'junction');
}

/** `#x`, `@fovea/contract` and `@fovea/formats` are compiled in from source; every other package stays a package. */
export const sourceImports = {
  name: 'source-imports',
  setup(plan) {
    plan.onResolve({ filter: /^#/ }, ({ path }) => ({ path: join(root, 'server', 'src', path.slice(1)) }));
    plan.onResolve({ filter: /^@fovea\/(contract|formats)(\/|$)/ }, ({ path }) => {
      const [, place, ...inner] = path.split('/');
      return { path: join(root, place, 'src', `${inner.join('/') || 'index'}.ts`) };
    });
    plan.onResolve({ filter: /^[^./#]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || isAbsolute(path) || path.startsWith('@fovea/')) return undefined;
      return { path, external: true };
    });
  },
};

/**
 * The page: `web/src/main.tsx`, split where screens are loaded lazily, and workers beside it. Every script and
 * style carries a digest of its content in its name; `index.html` and a list of preloads name them.
 */
async function buildWeb(force) {
  const source = join(root, 'web', 'src');
  const outDir = join(root, 'web', 'dist');
  const main = join(source, 'main.tsx');
  if (!existsSync(main)) return;
  const stampPath = join(outDir, '.stamp');
  const stamp = digestOf([...webSources, 'scripts/build.mjs']);
  if (!force && readStamp(stampPath) === stamp) return;
  await step('building the page', async () => {
    rmSync(outDir, { recursive: true, force: true });
    mkdirSync(join(outDir, 'assets'), { recursive: true });
    for (const path of filesBelow(['web/src']).filter((path) => webAssets.has(extname(path))))
      cpSync(path, join(outDir, 'assets', basename(path)));
    const workers = filesBelow(['web/src']).filter((path) => /-worker\.ts$/.test(path));
    const esbuild = await import('esbuild');
    const { metafile } = await esbuild.build({
      entryPoints: [main, ...workers],
      outdir: join(outDir, 'assets'),
      entryNames: '[name]-[hash]',
      chunkNames: 'part-[hash]',
      assetNames: '[name]-[hash]',
      bundle: true,
      splitting: true,
      minify: true,
      metafile: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      jsx: 'automatic',
      sourcemap: true,
      sourcesContent: false,
      loader: { '.svg': 'file', '.woff2': 'file' },
      define: { 'process.env.NODE_ENV': '"production"' },
      logLevel: 'error',
      plugins: [contractImports],
    });
    await esbuild.stop();
    writeFileSync(
      join(outDir, 'index.html'),
      indexHtml(readFileSync(join(source, 'index.html'), 'utf8'), metafile),
    );
  });
  writeStamp(stampPath, stamp);
}

/** The page with the digest names of its script, its style and the parts that the script needs at once. */
function indexHtml(template, { outputs }) {
  const [path, main] = Object.entries(outputs).find(
    ([, { entryPoint }]) => entryPoint === 'web/src/main.tsx',
  );
  const at = (output) => `/assets/${basename(output)}`;
  const parts = main.imports.filter(({ kind }) => kind === 'import-statement').map((part) => at(part.path));
  const preloads = parts.map((href) => `<link rel="modulepreload" href="${href}" />\n    `).join('');
  return template
    .replace('/assets/main.js', at(path))
    .replace('/assets/main.css', main.cssBundle ? at(main.cssBundle) : '/assets/main.css')
    .replace('<script ', `${preloads}<script `);
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
