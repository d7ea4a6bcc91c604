import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { brokenRules, readImports } from './lib/imports.mjs';
import { root } from './lib/paths.mjs';
import { run } from './lib/run.mjs';

/**
 * Format, lint and import rules.
 *
 * @param {string[]} [options] passed on to Biome, e.g. `--write`
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function lint(options = []) {
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const paths = options.some((word) => !word.startsWith('-')) ? [] : ['.'];
  const checking = run(process.execPath, [biome, 'check', ...options, ...paths]);
  const broken = importTrouble();
  const { code, output } = await checking;
  const words = broken.map((line) => `${line}\n`).join('');
  return { code: code || (broken.length > 0 ? 1 : 0), output: output + words };
}

function importTrouble() {
  try {
    return brokenRules(readImports());
  } catch (error) {
    return [error.message];
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { code, output } = await lint(process.argv.slice(2));
  process.stdout.write(output);
  process.exitCode = code;
}
