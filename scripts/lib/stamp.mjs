import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './paths.mjs';

const skipped = new Set(['node_modules', 'dist', '.fovea', '.git']);

/** Every file below the given paths (files or folders, relative to the root), sorted; absent ones are left out. */
export function filesBelow(paths) {
  const found = [];
  const visit = (path) => {
    const facts = statSync(path, { throwIfNoEntry: false });
    if (facts?.isFile()) found.push(path);
    if (!facts?.isDirectory()) return;
    for (const name of readdirSync(path)) {
      if (!skipped.has(name)) visit(join(path, name));
    }
  };
  for (const path of paths) visit(join(root, path));
  return found.sort();
}

/** A digest of the names, sizes and modification times of all files below the paths. */
export function digestOf(paths, salt = '') {
  const hash = createHash('sha256').update(salt);
  for (const path of filesBelow(paths)) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${relative(root, path)}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** A digest of the bytes of the given files (relative to the root); absent ones count as empty. */
export function contentDigestOf(paths, salt = '') {
  const hash = createHash('sha256').update(salt);
  for (const path of paths) {
    const full = join(root, path);
    hash.update(`${path}\0`);
    if (existsSync(full)) hash.update(readFileSync(full));
  }
  return hash.digest('hex');
}

export const readStamp = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

export function writeStamp(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
