import { readImageFormat } from '#engine/image-format.ts';
import { readMediaFormat } from '#engine/media/index.ts';
import type { InputKind } from '../inputs/index.ts';
import { readTarHeader } from './tar.ts';

/** Bytes from the start of a file that tell what it is. */
export const headBytes = 4096;

export type Found = InputKind | 'zip' | 'tar' | 'gzip';

const soundFormats = ['WAV', 'MP3', 'FLAC', 'OGG', 'M4A'];
const textNames = /\.(txt|text|md|markdown)$/i;
/** Documents that are zip files and hold no collection of inputs. */
const packedDocuments = /\.(docx|xlsx|pptx|odt|ods|odp|epub|jar|apk|whl)$/i;

/**
 * What a file is, by its first bytes. Only a text is told by its name, for it has no marks of its own.
 *
 * @returns undefined for what becomes no input
 */
export function kindOf(head: Uint8Array, name: string): Found | undefined {
  const [a, b, c, d] = head;
  const isZip = a === 0x50 && b === 0x4b && ((c === 3 && d === 4) || (c === 5 && d === 6));
  if (isZip) return packedDocuments.test(name) ? undefined : 'zip';
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (readTarHeader(head)) return 'tar';
  const format = readMediaFormat(head)?.format;
  if (format) return soundFormats.includes(format) ? 'audio' : 'video';
  try {
    readImageFormat(head);
    return 'image';
  } catch {
    return textNames.test(name) && !head.includes(0) && head.length > 0 ? 'text' : undefined;
  }
}

export const isArchive = (found: Found | undefined): found is 'zip' | 'tar' | 'gzip' =>
  found === 'zip' || found === 'tar' || found === 'gzip';
