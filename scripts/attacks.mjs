import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ensureInstalled } from './lib/install.mjs';
import { requireNode } from './lib/node-version.mjs';
import { root } from './lib/paths.mjs';

// npm run attacks [-- NAME…] [--seed N] [--full] [--no-controls | --only-controls] [--main FILE] [--json FILE]
// Attacks a server of its own, made for this and thrown away, over loopback alone. A run of all attacks writes
// docs/ATTACKS.md.
requireNode([20, 9], 'npm run attacks');
process.chdir(root);
const words = process.argv.slice(2);

await ensureInstalled({ dev: true });
const given = words.indexOf('--main');
if (given < 0) {
  const { build } = await import('./build.mjs');
  await build();
}
const built = given < 0 ? join(root, 'server', 'dist', 'main.js') : resolve(words[given + 1] ?? '');
if (!existsSync(built)) throw new Error(`There is no server at ${built}.`);
const rest = given < 0 ? words : words.toSpliced(given, 2);
const folder = join(root, 'node_modules', '.fovea-attacks');
const own = join(folder, `${process.pid}`);
process.on('exit', () => rmSync(own, { recursive: true, force: true }));
mkdirSync(own, { recursive: true });
// A copy, for servers are started again and again, and somebody may build meanwhile.
cpSync(dirname(built), join(own, 'dist'), {
  recursive: true,
  filter: (path) => !path.endsWith('node_modules'),
});
const outfile = join(own, 'attacks.mjs');

const sources = {
  name: 'sources',
  setup(plan) {
    plan.onResolve({ filter: /^#/ }, ({ path }) => ({ path: join(root, 'server', 'src', path.slice(1)) }));
    plan.onResolve({ filter: /^@fovea\/contract$/ }, () => ({
      path: join(root, 'contract', 'src', 'index.ts'),
    }));
    plan.onResolve({ filter: /^[^./#]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@fovea/') ? undefined : { path, external: true },
    );
  },
};

const esbuild = await import('esbuild');
await esbuild.build({
  entryPoints: [join(root, 'bench', 'attacks', 'main.ts')],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: 'inline',
  logLevel: 'error',
  plugins: [sources],
});
await esbuild.stop();

const hasJson = rest.includes('--json');
const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    outfile,
    '--main',
    join(own, 'dist', basename(built)),
    ...(hasJson ? [] : ['--json', join(folder, 'latest.json')]),
    '--doc',
    join(root, 'docs', 'ATTACKS.md'),
    ...rest,
  ],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
