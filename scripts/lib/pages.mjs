import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configurationPage } from './configuration-page.mjs';
import { coveragePage } from './coverage-page.mjs';
import { importMap, readImports } from './imports.mjs';
import { root } from './paths.mjs';

/** The generated pages: path from the root, and what makes the text. */
export const pages = {
  'docs/CONFIGURATION.md': configurationPage,
  'docs/COVERAGE.md': coveragePage,
  'docs/import-map.txt': async () => importMap(readImports()),
};

/**
 * Writes a page where its text has changed.
 *
 * @param {string} path a key of `pages`
 * @param {{ write: boolean }} options false: only look
 * @returns {Promise<boolean>} whether the page on disk was current
 */
export async function refresh(path, { write }) {
  const wanted = await pages[path]();
  const full = join(root, path);
  if (existsSync(full) && readFileSync(full, 'utf8') === wanted) return true;
  if (write) {
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, wanted);
  }
  return false;
}
