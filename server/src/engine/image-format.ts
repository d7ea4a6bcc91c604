import { engineFault } from './faults.ts';

/** Formats that are decoded, as `ImageInfo.format` spells them. */
export type ImageFormat = 'JPEG' | 'PNG' | 'WEBP' | 'GIF' | 'BMP' | 'TIFF';

const signatures: readonly [ImageFormat, number, readonly number[]][] = [
  ['JPEG', 0, [0xff, 0xd8, 0xff]],
  ['PNG', 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['GIF', 0, ascii('GIF8')],
  ['WEBP', 8, ascii('WEBP')],
  ['BMP', 0, ascii('BM')],
  ['TIFF', 0, [0x49, 0x49, 0x2a, 0x00]],
  ['TIFF', 0, [0x4d, 0x4d, 0x00, 0x2a]],
];

/**
 * Tells the format from the first bytes, never from a name or a header.
 *
 * @throws Fault 30101 for everything else; well-known strangers are called by name
 */
export function readImageFormat(bytes: Uint8Array): ImageFormat {
  for (const [format, offset, signature] of signatures) {
    if (signature.every((byte, index) => bytes[offset + index] === byte)) return format;
  }
  throw engineFault.unsupportedFormat(strangerOf(bytes));
}

function strangerOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'the file is empty';
  const start = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  if (/<svg[\s>]/i.test(start)) return 'SVG';
  if (/^\s*(<!doctype html|<html)/i.test(start)) return 'an HTML page';
  if (start.startsWith('%PDF')) return 'PDF';
  if (/^....ftyp(avif|avis)/s.test(start)) return 'AVIF';
  if (/^....ftyp(heic|heix|mif1|msf1)/s.test(start)) return 'HEIC';
  if (/^....ftyp/s.test(start)) return 'a video';
  return 'the first bytes belong to no known image format';
}

function ascii(text: string): number[] {
  return [...Buffer.from(text, 'latin1')];
}
