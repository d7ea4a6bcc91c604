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
    const json = (JSON.parse(text) as unknown) ?? undefined;
    checkDepth(json, 0);
    return json;
  } catch (thrown) {
    if (thrown instanceof JsonTrouble) throw thrown;
    // A stack overflow in deep nesting is the body's doing as well.
    const why = thrown instanceof SyntaxError ? placeIn(thrown.message) : 'a value nested too deep';
    throw new JsonTrouble('', why, 'valid JSON');
  }
}

/** Deeper than any honest request; whoever walks the value afterwards may do so by recursion. */
const depthMax = 200;

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > depthMax) throw new JsonTrouble('', 'a value nested too deep', `at most ${depthMax} levels`);
  if (Array.isArray(value)) for (const item of value) checkDepth(item, depth + 1);
  else for (const key in value) checkDepth((value as Record<string, unknown>)[key], depth + 1);
}

/** The parser quotes the body itself in its message; only the place is kept. */
function placeIn(message: string): string {
  const place = /at position \d+/.exec(message)?.[0];
  return place === undefined ? 'JSON that ends too early or is malformed' : `malformed JSON ${place}`;
}
