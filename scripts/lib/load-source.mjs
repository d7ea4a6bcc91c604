import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './paths.mjs';

/**
 * Compiles one TypeScript source with all it imports from us, and loads it, so that plain scripts can read
 * facts from the code itself.
 *
 * @param {string} path from the root
 */
export async function loadSource(path) {
  const esbuild = await import('esbuild');
  const folder = join(root, 'node_modules', '.fovea-docs');
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `${basename(path, '.ts')}-${process.pid}.mjs`);
  await esbuild.build({
    entryPoints: [join(root, path)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    treeShaking: true,
    logLevel: 'error',
    plugins: [
      {
        name: 'packages-stay',
        setup(plan) {
          plan.onResolve({ filter: /^[^./#]/ }, ({ path: request, kind }) =>
            kind === 'entry-point' ? undefined : { path: request, external: true },
          );
        },
      },
    ],
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile, { force: true });
  }
}
