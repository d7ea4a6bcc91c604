import { engineFault } from './faults.ts';

/** Formats that are decoded, as `ImageInfo.format` spells them. */
export type ImageFormat = 'JPEG' | 'PNG' | 'WEBP' | 'GIF' | 'BMP' | 'TIFF' | 'AVIF';

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
  if (isAvif(bytes)) return 'AVIF';
  for (const [format, offset, signature] of signatures) {
    if (signature.every((byte, index) => bytes[offset + index] === byte)) return format;
  }
  throw engineFault.unsupportedFormat(strangerOf(bytes));
}

/**
 * How many pixels the header of a PNG or JPEG promises, read without decoding anything.
 *
 * @returns undefined for other formats, and for headers that are not where they should be
 *
 * Source: PNG (ISO/IEC 15948) 11.2.2, the IHDR chunk comes first; JPEG (ITU-T T.81) B.2.2, start of frame.
 */
export function promisedPixels(bytes: Buffer, format: ImageFormat): number | undefined {
  if (format === 'PNG')
    return bytes.length < 24 ? undefined : bytes.readUInt32BE(16) * bytes.readUInt32BE(20);
  if (format !== 'JPEG') return undefined;
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] as number;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes.readUInt16BE(at + 5) * bytes.readUInt16BE(at + 7);
    // Fill bytes may stand before a marker.
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}

/** A file type box with `avif` among its brands (ISO/IEC 23000-22); `avis` are films of such pictures. */
function isAvif(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (!start.startsWith('ftyp', 4)) return false;
  const boxBytes = Math.min(64, Buffer.from(bytes.subarray(0, 4)).readUInt32BE(0));
  const brands = [start.slice(8, 12), ...(start.slice(16, boxBytes).match(/.{4}/gs) ?? [])];
  return brands.includes('avif') || brands[0] === 'avis';
}

function strangerOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'the file is empty';
  const start = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  if (/<svg[\s>]/i.test(start)) return 'SVG';
  if (/^\s*(<!doctype html|<html)/i.test(start)) return 'an HTML page';
  if (start.startsWith('%PDF')) return 'PDF';
  if (/^....ftyp(heic|heix|mif1|msf1)/s.test(start)) return 'HEIC';
  if (/^....ftyp/s.test(start)) return 'a video';
  return 'the first bytes belong to no known image format';
}

function ascii(text: string): number[] {
  return [...Buffer.from(text, 'latin1')];
}
