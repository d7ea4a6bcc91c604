import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const knownFile = 'general-embed-projection.json';

/**
 * Finds the folder of small files that belong to the models: beside the bundle, in the source tree, or, for a
 * bundle built elsewhere, beside the installed packages.
 *
 * @throws when it is nowhere
 */
export function findAssetsDir(): string {
  const starts = [path.dirname(fileURLToPath(import.meta.url)), packagesRoot()];
  for (const start of starts) {
    for (const folder of parentsOf(start)) {
      for (const candidate of [path.join(folder, 'models'), path.join(folder, 'server', 'models')]) {
        if (existsSync(path.join(candidate, knownFile))) return candidate;
      }
    }
  }
  throw new Error(`the folder of model files is missing: no ${knownFile} near ${starts.join(' or ')}`);
}

function packagesRoot(): string {
  return path.dirname(createRequire(import.meta.url).resolve('sharp'));
}

function parentsOf(folder: string): string[] {
  const parent = path.dirname(folder);
  return parent === folder ? [folder] : [folder, ...parentsOf(parent)];
}
