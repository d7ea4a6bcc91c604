const code = { quote: 0x22, backslash: 0x5c, zero: 0x30 } as const;

/** What JSON writes behind a backslash, by character code; other control characters as `\u00xx`. */
const escapes: Readonly<Record<number, string>> = {
  8: '\\b',
  9: '\\t',
  10: '\\n',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

const copiedSingly = 64;

/** JSON written as bytes: texts that lie in UTF-8 already are copied, not made into strings in between. */
export class JsonBytes {
  bytes: Buffer;
  length = 0;

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafe(sizeBytes);
  }

  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.length + count, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Bytes as they are. */
  raw(from: Uint8Array, start = 0, end = from.length): void {
    this.reserve(end - start);
    const into = this.bytes;
    let at = this.length;
    if (end - start < copiedSingly) {
      for (let i = start; i < end; i++) into[at++] = from[i] as number;
    } else {
      into.set(from.subarray(start, end), at);
    }
    this.length += end - start;
  }

  /** What was written before, once more. */
  again(start: number, end: number): void {
    this.reserve(end - start);
    this.bytes.copyWithin(this.length, start, end);
    this.length += end - start;
  }

  /** A text that is JSON already. */
  json(text: string): void {
    this.reserve(3 * text.length);
    this.length += this.bytes.write(text, this.length);
  }

  /** A whole number, as JSON writes it. */
  integer(value: number): void {
    if (value < 0 || value > 999_999) this.json(String(value));
    else this.digits(value, value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : String(value).length);
  }

  /** The last `count` decimal digits of a whole number. */
  digits(value: number, count: number): void {
    this.reserve(count);
    let rest = value;
    for (let at = this.length + count - 1; at >= this.length; at--) {
      this.bytes[at] = code.zero + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.length += count;
  }

  /** A text in UTF-8 as a JSON string, escaped as `JSON.stringify` does. */
  string(from: Uint8Array, start: number, end: number): void {
    this.reserve(6 * (end - start) + 2);
    const into = this.bytes;
    let at = this.length;
    into[at++] = code.quote;
    for (let i = start; i < end; i++) {
      const byte = from[i] as number;
      if (byte < 0x20 || byte === code.quote || byte === code.backslash) {
        const escaped = escapes[byte] ?? `\\u${byte.toString(16).padStart(4, '0')}`;
        at += into.write(escaped, at, 'latin1');
      } else {
        into[at++] = byte;
      }
    }
    into[at++] = code.quote;
    this.length = at;
  }

  taken(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}
