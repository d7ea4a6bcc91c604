import type { FileTree } from './files.ts';
import type { Report } from './problems.ts';

/** The original file of a picture, or a word that it is not there. */
export function bytesOf(tree: FileTree, found: string | undefined, wanted: string, report: Report) {
  if (found !== undefined) return { bytes: () => tree.stream(found) };
  report({
    severity: 'warning',
    code: 'missing-image',
    path: wanted,
    message: 'is named by the annotations, but the file is not there',
  });
  return {};
}
