import { imageSize as sizeOf } from 'image-size';
import type { FileTree } from './files.ts';
import { concat } from './files.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

const headBytes = 512 * 1024;

/**
 * Sides of a picture as it is looked at (turned as its EXIF says), from the head of its file.
 *
 * @returns undefined for what is no picture that we know
 */
export function sizeOfHead(head: Uint8Array): Size | undefined {
  try {
    const { width, height, orientation = 1 } = sizeOf(head);
    if (!width || !height) return undefined;
    return orientation >= 5 ? { width: height, height: width } : { width, height };
  } catch {
    return undefined;
  }
}

/** The same for a file of a tree; reads half a megabyte at most. */
export async function sizeOfFile(tree: FileTree, path: string): Promise<Size | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of tree.stream(path)) {
      parts.push(chunk);
      size += chunk.length;
      // Most heads are small: look early, read on only where that was not enough.
      if (size >= headBytes) break;
      const found = parts.length === 1 ? sizeOfHead(chunk) : undefined;
      if (found) return found;
    }
  } catch {
    return undefined;
  }
  return sizeOfHead(concat(parts, size).subarray(0, headBytes));
}
