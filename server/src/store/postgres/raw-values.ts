/** A statement whose rows come as the bytes that the server keeps. Names are unique. */
export interface RawStatement {
  readonly name: string;
  readonly text: string;
}

/** What a raw statement takes, as `bigint`, `text`, `bigint[]` and `text[]`. */
export type RawValue = number | string | readonly number[] | readonly string[];

const oid = { int8: 20, text: 25 } as const;

/** Messages to the server (PostgreSQL manual, "Message Formats"): a letter, the length of the rest, the rest. */
class Message {
  #bytes: Buffer;
  #length = 5;

  constructor(letter: string, sizeBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
    this.#bytes[0] = letter.charCodeAt(0);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + count, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  int2(value: number): this {
    this.#reserve(2);
    this.#length = this.#bytes.writeInt16BE(value, this.#length);
    return this;
  }

  int4(value: number): this {
    this.#reserve(4);
    this.#length = this.#bytes.writeInt32BE(value, this.#length);
    return this;
  }

  int8(value: number): this {
    this.#reserve(12);
    this.int4(8);
    this.#bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), this.#length);
    this.#bytes.writeUInt32BE(value >>> 0, this.#length + 4);
    this.#length += 8;
    return this;
  }

  /** A text behind its length in bytes. */
  text(value: string): this {
    this.#reserve(4 + 3 * value.length);
    const size = this.#bytes.write(value, this.#length + 4);
    this.#length = this.#bytes.writeInt32BE(size, this.#length) + size;
    return this;
  }

  /** A text that ends with a zero. */
  name(value: string): this {
    this.#reserve(1 + 3 * value.length);
    this.#length += this.#bytes.write(value, this.#length);
    this.#bytes[this.#length++] = 0;
    return this;
  }

  value(value: RawValue): this {
    if (typeof value === 'number') return this.int8(value);
    if (typeof value === 'string') return this.text(value);
    return this.#array(value);
  }

  /** One dimension, no nulls, numbered from 1 (array_send in the server's source). */
  #array(values: readonly number[] | readonly string[]): this {
    this.int4(0);
    const began = this.#length;
    const isText = typeof values[0] === 'string';
    this.int4(values.length === 0 ? 0 : 1).int4(0);
    this.int4(isText ? oid.text : oid.int8);
    if (values.length > 0) this.int4(values.length).int4(1);
    for (const value of values) this.value(value);
    this.#bytes.writeInt32BE(this.#length - began, began - 4);
    return this;
  }

  done(): Buffer {
    this.#bytes.writeInt32BE(this.#length - 1, 1);
    return this.#bytes.subarray(0, this.#length);
  }
}

export const parseMessage = ({ name, text }: RawStatement): Buffer =>
  new Message('P').name(name).name(text).int2(0).done();

/** Values and results in the binary format. */
export function bindMessage(statement: string, values: readonly RawValue[]): Buffer {
  const message = new Message('B').name('').name(statement).int2(1).int2(1).int2(values.length);
  for (const value of values) message.value(value);
  return message.int2(1).int2(1).done();
}

/** Runs what was bound to the end, and ends the statement's transaction. */
export const executeAndSync: Buffer = Buffer.concat([
  new Message('E').name('').int4(0).done(),
  new Message('S').done(),
]);
