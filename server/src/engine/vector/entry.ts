import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Where a worker or child process starts: `dist/<name>.js` beside the built server. Run from source, the entry
 * is bundled on the fly and kept beside the installed packages, so that its imports resolve as usual.
 *
 * @param name file name without extension, as in dist
 * @param here `import.meta.url` of the caller, whose folder holds `<name>.ts` in the source tree
 */
export function entryUrl(name: string, here: string): URL {
  if (!here.endsWith('.ts')) return new URL(`./${name}.js`, here);
  const require = createRequire(here);
  // Not an import: the built server must not carry the bundler.
  const esbuild = require('esbuild') as typeof import('esbuild');
  const built = esbuild.buildSync({
    entryPoints: [fileURLToPath(new URL(`./${name}.ts`, here))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    write: false,
    alias: { '#engine': fileURLToPath(new URL('..', here)) },
  });
  const source = built.outputFiles[0]?.contents ?? new Uint8Array();
  const folder = join(dirname(require.resolve('esbuild/package.json')), '..', '.cache', 'fovea-entries');
  const file = join(folder, `${name}-${createHash('sha256').update(source).digest('hex').slice(0, 16)}.mjs`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const aside = `${file}.${process.pid}.${Math.trunc(performance.now() * 1000)}`;
    writeFileSync(aside, source);
    renameSync(aside, file);
  }
  return pathToFileURL(file);
}
