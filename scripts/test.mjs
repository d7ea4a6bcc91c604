import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled } from './lib/install.mjs';
import { requireNode } from './lib/node-version.mjs';
import { root } from './lib/paths.mjs';
import { step } from './lib/steps.mjs';

// npm test: install what is missing, build, check types and style, run the tests. Words after `--` go to
// vitest; with them the checks of the whole tree are left out.
requireNode([20, 19], 'npm test');
// Tests and benches load onnxruntime by themselves too; see server/src/domain/telemetry.ts.
process.env.ORT_DISABLE_TELEMETRY = '1';
process.chdir(root);

const words = process.argv.slice(2);
let passed = 0;
let failed = 0;

/** A check of the whole tree counts as one test. */
async function check(name, work) {
  let result = { code: 1, output: '' };
  try {
    await step(name, async () => {
      result = await work();
      if (result.code !== 0) throw new Error('failed');
    });
    passed += 1;
  } catch {
    failed += 1;
    process.stdout.write(result.output);
  }
}

function vitest(reportPath) {
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  const child = spawn(process.execPath, [program, 'run', ...reporters, ...words], {
    cwd: root,
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}

async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-test-'));
  const reportPath = join(folder, 'report.json');
  const code = await vitest(reportPath);
  let report = { numPassedTests: 0, numFailedTests: 0, numFailedTestSuites: 0 };
  try {
    report = JSON.parse(readFileSync(reportPath, 'utf8'));
  } catch {
    // No report: vitest itself did not come through, which its exit code says.
  }
  rmSync(folder, { recursive: true, force: true });
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  // A file that does not load, or an error outside any test, fails no test by name.
  if (code !== 0 && report.numFailedTests === 0) failed += 1;
}

try {
  await ensureInstalled({ dev: true });
  const { build } = await import('./build.mjs');
  // Rules and parts can be tested where the whole does not build; the failure counts all the same.
  await build().catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    failed += 1;
  });
  if (words.length === 0) {
    const { typecheck } = await import('./typecheck.mjs');
    const { lint } = await import('./lint.mjs');
    await check('checking types', typecheck);
    await check('checking style and imports', lint);
  }
  await runTests();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  failed += 1;
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
