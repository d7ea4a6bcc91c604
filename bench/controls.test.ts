import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const fromRoot = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const main = process.env['FOVEA_TEST_MAIN'] ?? fromRoot('server/dist/main.js');

/** Runs one of the harnesses as people do. @returns its exit code and what it said */
function harness(script: string, ...words: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [fromRoot(`scripts/${script}.mjs`), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (chunk: Buffer) => {
    said += chunk;
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}

// A harness that cannot fail proves nothing; these are the controls that are quick enough to be run each time.
test('faults: a server that acknowledges before it commits is caught', async () => {
  const { code, said } = await harness('faults', 'C2', '--dist', dirname(main), '--port', '18400');
  expect(said).toMatch(/caught\s+C2/);
  expect(code, said).toBe(0);
}, 300_000);

test('attacks: strangers let in, secrets told and living sessions are caught', async () => {
  const attacks = ['S1', 'S26', 'S37', 'S44', 'S50'];
  const { code, said } = await harness('attacks', ...attacks, '--only-controls', '--main', main);
  for (const id of attacks) expect(said).toMatch(new RegExp(`pass\\s+${id}\\s.*control caught`));
  expect(code, said).toBe(0);
}, 300_000);
