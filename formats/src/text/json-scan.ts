import { concat, textOf } from '../files.ts';

/**
 * Reads large JSON without holding it: hands out the elements of the arrays that lie directly in the outermost
 * object (or of the outermost array, under the key ''), each with its place in the file.
 */
export interface JsonElement {
  /** Name of the array, or of the plain value, in the outermost object. */
  readonly key: string;
  /** True for an element of an array, false for a value that stands for itself. */
  readonly inArray: boolean;
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

export class JsonBroken extends Error {
  override name = 'JsonBroken';
}

export interface ScanLimits {
  /** Bytes of one element. */
  readonly elementBytesMax: number;
  readonly depthMax: number;
}

const defaults: ScanLimits = { elementBytesMax: 64 * 2 ** 20, depthMax: 200 };

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const isOpening = (byte: number) => byte === 0x7b || byte === 0x5b;
const isClosing = (byte: number) => byte === 0x7d || byte === 0x5d;
const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** @throws JsonBroken where the text is no JSON, too deep, or ends too early */
export async function* scanJson(
  chunks: AsyncIterable<Uint8Array>,
  limits: Partial<ScanLimits> = {},
): AsyncGenerator<JsonElement> {
  const scanner = new Scanner({ ...defaults, ...limits });
  for await (const chunk of chunks) yield* scanner.push(chunk);
  scanner.end();
}

class Scanner {
  private depth = 0;
  private root = 0;
  private inString = false;
  private isEscaped = false;
  private key = '';
  /** Depth at which elements lie: 1 for plain values of the root object or elements of a root array, 2 in its arrays. */
  private elementDepth = 0;
  private isKey = false;
  /** Position of the current element's first byte, or -1. */
  private start = -1;
  private parts: Uint8Array[] = [];
  private held = 0;
  private position = 0;
  private isOver = false;
  private readonly limits: ScanLimits;

  constructor(limits: ScanLimits) {
    this.limits = limits;
  }

  *push(chunk: Uint8Array): Generator<JsonElement> {
    let from = this.start >= 0 ? 0 : -1;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (this.inString) {
        if (this.isEscaped) this.isEscaped = false;
        else if (byte === backslash) this.isEscaped = true;
        else if (byte === quote) this.inString = false;
        continue;
      }
      if (isSpace(byte)) continue;
      if (this.position + i < 3 && (byte === 0xef || byte === 0xbb || byte === 0xbf)) continue;
      if (this.depth === 0) {
        this.open(byte);
        continue;
      }
      const ends = this.depth === this.elementDepth && (byte === comma || isClosing(byte));
      if (ends && this.start >= 0) {
        this.keep(chunk.subarray(Math.max(from, 0), i));
        yield* this.take(this.position + i);
        from = -1;
      }
      if (this.depth === 1 && this.root === 0x7b && byte === colon && this.start >= 0 && this.isKey) {
        this.keep(chunk.subarray(Math.max(from, 0), i));
        this.key = keyOf(concat(this.parts));
        this.forget();
        this.isKey = false;
        from = -1;
        continue;
      }
      if (byte === quote) this.inString = true;
      if (byte === comma) {
        if (this.depth === 1 && this.root === 0x7b) this.isKey = true;
        if (this.depth === this.elementDepth) continue;
      }
      if (isClosing(byte)) {
        this.close();
        if (this.start < 0) continue;
      } else {
        // An array directly in the root object is walked, not taken whole.
        const isArrayOfRoot =
          byte === 0x5b && this.depth === 1 && this.root === 0x7b && !this.isKey && this.start < 0;
        if (isOpening(byte)) this.deeper();
        if (isArrayOfRoot) {
          this.elementDepth = 2;
          continue;
        }
        if (this.start < 0 && byte !== comma) {
          this.start = this.position + i;
          from = i;
        }
      }
    }
    if (this.start >= 0) this.keep(chunk.slice(Math.max(from, 0)));
    this.position += chunk.length;
  }

  end(): void {
    if (!this.isOver) throw new JsonBroken('the file ends before its outermost value does');
  }

  private open(byte: number): void {
    if (this.isOver || !isOpening(byte)) throw new JsonBroken('the file is not a JSON object or array');
    this.root = byte;
    this.depth = 1;
    this.elementDepth = 1;
    this.isKey = byte === 0x7b;
  }

  private deeper(): void {
    this.depth += 1;
    if (this.depth > this.limits.depthMax)
      throw new JsonBroken(`values are nested more than ${this.limits.depthMax} deep`);
  }

  private close(): void {
    this.depth -= 1;
    if (this.depth === 1 && this.elementDepth === 2) this.elementDepth = 1;
    if (this.depth === 0) this.isOver = true;
  }

  private keep(bytes: Uint8Array): void {
    this.held += bytes.length;
    if (this.held > this.limits.elementBytesMax)
      throw new JsonBroken(
        `one element of "${this.key}" is larger than ${this.limits.elementBytesMax} bytes`,
      );
    this.parts.push(bytes);
  }

  private *take(end: number): Generator<JsonElement> {
    const bytes = concat(this.parts);
    const element = {
      key: this.key,
      inArray: this.elementDepth === 2 || this.root === 0x5b,
      start: this.start,
      end,
      bytes,
    };
    this.forget();
    yield element;
  }

  private forget(): void {
    this.start = -1;
    this.parts = [];
    this.held = 0;
  }
}

function keyOf(bytes: Uint8Array): string {
  try {
    return String(JSON.parse(textOf(bytes)));
  } catch {
    throw new JsonBroken('a key of the outermost object is not a string');
  }
}

/**
 * JSON, also with the NaN and Infinity that Python writes: those become null, and `hadNaN` says so.
 *
 * @throws JsonBroken for anything else that is no JSON, or is nested too deep
 */
export function parseJson(text: string, depthMax = defaults.depthMax): { value: unknown; hadNaN: boolean } {
  if (isTooDeep(text, depthMax)) throw new JsonBroken(`values are nested more than ${depthMax} deep`);
  try {
    return { value: JSON.parse(text), hadNaN: false };
  } catch (error) {
    const mended = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (found) =>
      found.startsWith('"') ? found : 'null',
    );
    if (mended === text) throw new JsonBroken((error as Error).message);
    try {
      return { value: JSON.parse(mended), hadNaN: true };
    } catch (again) {
      throw new JsonBroken((again as Error).message);
    }
  }
}

function isTooDeep(text: string, depthMax: number): boolean {
  // Each level takes a character: most elements are shorter than that.
  if (text.length <= depthMax) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === backslash) i += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (isOpening(code)) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (isClosing(code)) depth -= 1;
  }
  return false;
}
