import { analyse } from 'chardet';

export interface DecodedText {
  readonly text: string;
  /** By its name of the Encoding Standard or of Unicode: `UTF-8`, `UTF-16LE`, `ISO-8859-1`, `Shift_JIS` … */
  readonly encoding: string;
}

/** Bytes from which an encoding is guessed. */
const guessedBytes = 64 * 1024;
/** Below this the guess is no better than the most common of the old encodings. */
const confidenceMin = 20;

/**
 * Turns the bytes of a text into characters: by its byte order mark, else as UTF-8 where it is valid, else by
 * guessing. Undefined where the bytes are no text. A byte order mark is not part of the text.
 */
export function decodeText(bytes: Uint8Array): DecodedText | undefined {
  const marked = markedEncoding(bytes);
  if (marked) return decodeAs(bytes, marked);
  if (looksLikeUtf16(bytes, 0)) return decodeAs(bytes, 'UTF-16LE');
  if (looksLikeUtf16(bytes, 1)) return decodeAs(bytes, 'UTF-16BE');
  if (bytes.includes(0)) return undefined;
  return decodeAs(bytes, 'UTF-8') ?? guessed(bytes);
}

function markedEncoding(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'UTF-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16LE';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16BE';
  return undefined;
}

/** Text in UTF-16 without a mark: in Western languages every second byte is zero, and hardly any other. */
function looksLikeUtf16(bytes: Uint8Array, highAt: 0 | 1): boolean {
  if (bytes.length < 2 || bytes.length % 2 !== 0) return false;
  const looked = Math.min(bytes.length, 4096);
  let zeros = 0;
  for (let at = 0; at < looked; at += 2) {
    if (bytes[at + highAt] === 0) return false;
    if (bytes[at + 1 - highAt] === 0) zeros += 1;
  }
  return zeros > looked / 4;
}

function decodeAs(bytes: Uint8Array, encoding: string): DecodedText | undefined {
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes), encoding };
  } catch {
    return undefined;
  }
}

function guessed(bytes: Uint8Array): DecodedText | undefined {
  if (hasControls(bytes)) return undefined;
  for (const { name, confidence } of analyse(bytes.subarray(0, guessedBytes))) {
    if (confidence < confidenceMin) break;
    const decoded = isKnown(name) ? decodeAs(bytes, name) : undefined;
    if (decoded) return decoded;
  }
  return decodeAs(bytes, 'windows-1252');
}

/** Control characters that no text of the old encodings holds; escape begins sequences of some. */
const hasControls = (bytes: Uint8Array): boolean =>
  bytes.some((byte) => byte < 0x20 && ![0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1b].includes(byte));

function isKnown(encoding: string): boolean {
  try {
    new TextDecoder(encoding);
    return true;
  } catch {
    return false;
  }
}
