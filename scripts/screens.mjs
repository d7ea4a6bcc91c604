import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from './build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { requireNode } from './lib/node-version.mjs';
import { root } from './lib/paths.mjs';

// npm run screens [-- FOLDER] [NAME…]: starts a server of its own, makes the sample app in it, and leaves a picture
// of every screen there, light and dark, 1440 and 390 pixels wide. NAME is how the name of a screen begins. It is the
// same walk that npm test makes, so it ends with 1 where a screen is not accessible, too wide, or full of errors.
requireNode([20, 19], 'npm run screens');
process.chdir(root);
const [given, ...names] = process.argv.slice(2);
const folder = resolve(given ?? join('web', 'dist-screens'));

await ensureInstalled({ dev: true });
await build();
if (names.length === 0) rmSync(folder, { recursive: true, force: true });
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const child = spawn(process.execPath, [vitest, 'run', 'web/e2e/every-screen'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    FOVEA_SCREENS: folder,
    ...(names.length > 0 ? { FOVEA_SCREENS_ONLY: names.join(',') } : {}),
  },
});
child.on('close', (code) => {
  console.log(`The pictures lie in ${folder}.`);
  process.exitCode = code ?? 1;
});
