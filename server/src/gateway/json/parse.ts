import { isUtf8 } from 'node:buffer';
import { JsonTrouble } from './trouble.ts';

/**
 * Parses a request body, whatever its Content-Type says. An empty body (or JSON null) is undefined.
 *
 * @throws JsonTrouble for what is not JSON in UTF-8
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new JsonTrouble('', 'bytes that are not UTF-8', 'JSON in UTF-8');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  if (text.trim() === '') return undefined;
  try {
    return (JSON.parse(text) as unknown) ?? undefined;
  } catch (thrown) {
    // A stack overflow in deep nesting is the body's doing as well.
    const why = thrown instanceof SyntaxError ? placeIn(thrown.message) : 'a value nested too deep';
    throw new JsonTrouble('', why, 'valid JSON');
  }
}

/** The parser quotes the body itself in its message; only the place is kept. */
function placeIn(message: string): string {
  const place = /at position \d+/.exec(message)?.[0];
  return place === undefined ? 'JSON that ends too early or is malformed' : `malformed JSON ${place}`;
}
