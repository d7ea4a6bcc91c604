import type { FileTree } from './files.ts';
import type { Listing } from './format.ts';
import { isImagePath, Locator, safePath } from './paths.ts';
import type { Report } from './problems.ts';

/** Lists a tree; paths that would lead out of it are reported and left out. */
export async function listTree(tree: FileTree, report: Report): Promise<Listing> {
  const sizes = new Map<string, number>();
  const folded = new Map<string, string>();
  for (const { path, size } of await tree.list()) {
    if (safePath(path) !== path) {
      report({ severity: 'error', code: 'unsafe-path', path, message: 'leads out of its folder; left out' });
      continue;
    }
    const twin = folded.get(path.toLowerCase());
    if (twin !== undefined) {
      report({
        severity: 'warning',
        code: 'name-clash',
        path,
        message: `differs from ${twin} only in upper and lower case; both are kept`,
      });
    }
    folded.set(path.toLowerCase(), path);
    sizes.set(path, size);
  }
  const paths = [...sizes.keys()].sort();
  const imagePaths = paths.filter(isImagePath);
  return { tree, paths, sizes, images: new Locator(imagePaths), imagePaths };
}
