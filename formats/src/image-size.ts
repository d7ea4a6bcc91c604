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

/** The same for a file that comes piece by piece; reads half a megabyte at most. */
export async function sizeOfStream(chunks: AsyncIterable<Uint8Array>): Promise<Size | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of chunks) {
      parts.push(chunk);
      size += chunk.length;
      if (size >= headBytes) break;
      // Most heads are small: look early, read on only where that was not enough.
      const found = parts.length === 1 ? sizeOfHead(chunk) : undefined;
      if (found) return found;
    }
  } catch {
    return undefined;
  }
  return sizeOfHead(concat(parts, size).subarray(0, headBytes));
}

export const sizeOfFile = (tree: FileTree, path: string): Promise<Size | undefined> =>
  sizeOfStream(tree.stream(path));
