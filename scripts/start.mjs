import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureInstalled } from './lib/install.mjs';
import { requireNode } from './lib/node-version.mjs';
import { root } from './lib/paths.mjs';

// npm start: install what is missing, build what changed, and become the server. The server runs in this
// very process, so signals and kill -9 meet it and nobody is orphaned; `exec` in package.json puts it in the place of
// npm's shell, which would die of a SIGTERM and pass nothing on.
requireNode([20, 9], 'npm start');
process.chdir(root);

const prepareOnly = process.argv.includes('--prepare');

try {
  await ensureInstalled({ dev: false });
  const { build } = await import('./build.mjs');
  await build();
} catch (error) {
  console.error(`\nThe start stopped: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

const main = join(root, 'server', 'dist', 'main.js');
if (!existsSync(main)) {
  console.error('There is no server/src/main.ts to start.');
  process.exit(1);
}
if (!prepareOnly) {
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(main).href);
}
