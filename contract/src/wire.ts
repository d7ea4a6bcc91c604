/**
 * Messages put together as bytes, for replies whose parts lie stored as bytes already. Field numbers, lengths and
 * wire types are protobuf's own (https://protobuf.dev/programming-guides/encoding/).
 */

/** A reply whose fields, all but `status`, are encoded already. Only the gateway looks inside. */
export class PackedReply {
  readonly fields: Uint8Array;

  constructor(fields: Uint8Array) {
    this.fields = fields;
  }
}

/** Groups are no part of proto3, but a stored message may hold some that it does not know. */
export const wireType = { varint: 0, fixed64: 1, delimited: 2, group: 3, groupEnd: 4, fixed32: 5 } as const;

/** Copying fewer bytes than this one by one is quicker than a call that copies them all. */
const copiedSingly = 64;

/** Writes fields one after the other. Lengths of nested messages are filled in when these are closed. */
export class WireWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(sizeBytes = 1024) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  /** What was written; a view, good until something more is written. */
  taken(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  /** An unsigned whole number below 2^53. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A signed 64-bit number, exact to 2^53: negative ones take ten bytes. */
  int64(field: number, value: number): void {
    if (value === 0) return;
    this.varint(field << 3);
    if (value > 0) this.varint(value);
    else {
      this.#reserve(10);
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 127n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 127n) | 128;
      this.#bytes[this.#length++] = Number(rest);
    }
  }

  /** An unsigned number or an enum; left out when 0. */
  uint(field: number, value: number): void {
    if (value === 0) return;
    this.varint(field << 3);
    this.varint(value);
  }

  /** A number of single precision; left out when 0. */
  float(field: number, value: number): void {
    if (value === 0) return;
    this.varint((field << 3) | wireType.fixed32);
    this.#reserve(4);
    this.#length = this.#bytes.writeFloatLE(value, this.#length);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  /** A text; left out when empty. */
  text(field: number, value: string): void {
    if (value === '') return;
    const at = this.open(field);
    this.#reserve(3 * value.length);
    this.#length += this.#bytes.write(value, this.#length);
    this.close(at);
  }

  /** Bytes, an encoded message, or a text in UTF-8; left out when empty. */
  part(field: number, from: Uint8Array, start = 0, end = from.length): void {
    if (end > start) this.message(field, from, start, end);
  }

  /** The same of a message, which is there even when it is empty. */
  message(field: number, from: Uint8Array, start = 0, end = from.length): void {
    this.varint((field << 3) | wireType.delimited);
    this.varint(end - start);
    this.raw(from, start, end);
  }

  /** Bytes as they are. */
  raw(from: Uint8Array, start = 0, end = from.length): void {
    this.#reserve(end - start);
    const into = this.#bytes;
    let at = this.#length;
    if (end - start < copiedSingly) {
      for (let i = start; i < end; i++) into[at++] = from[i] as number;
    } else {
      into.set(from.subarray(start, end), at);
    }
    this.#length += end - start;
  }

  /** Two lower-case digits for each byte. */
  hex(from: Uint8Array, start = 0, end = from.length): void {
    this.#reserve(2 * (end - start));
    for (let i = start; i < end; i++) {
      const byte = from[i] as number;
      this.#bytes[this.#length++] = hexDigits[byte >> 4] as number;
      this.#bytes[this.#length++] = hexDigits[byte & 15] as number;
    }
  }

  /** Begins a nested message (or a text in pieces). @returns what `close` wants to have */
  open(field: number): number {
    this.varint((field << 3) | wireType.delimited);
    this.#reserve(1);
    this.#length += 1;
    return this.#length;
  }

  close(opened: number): void {
    const size = this.#length - opened;
    if (size < 128) {
      this.#bytes[opened - 1] = size;
      return;
    }
    let more = 1;
    for (let rest = size >>> 14; rest > 0; rest >>>= 7) more += 1;
    this.#reserve(more);
    this.#bytes.copyWithin(opened + more, opened, this.#length);
    const end = this.#length + more;
    this.#length = opened - 1;
    this.varint(size);
    this.#length = end;
  }
}

const hexDigits = Buffer.from('0123456789abcdef');

/**
 * Walks the fields of an encoded message: `next` while there are any, then `field`, its type, and where it begins
 * (its tag), where its content begins and where it ends.
 */
export class WireReader {
  bytes: Uint8Array = emptyBytes;
  field = 0;
  type = 0;
  tagAt = 0;
  start = 0;
  /** End of the field, where the next one begins. */
  end = 0;
  /** The number itself, of a field of type varint, below 2^53. */
  value = 0;
  #limit = 0;

  read(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.bytes = bytes;
    this.end = start;
    this.#limit = end;
    return this;
  }

  /** @throws RangeError where the bytes are no message */
  next(): boolean {
    if (this.end >= this.#limit) return false;
    this.tagAt = this.end;
    const tag = this.#varint(this.end);
    this.field = Math.floor(tag / 8);
    this.type = tag % 8;
    this.start = this.end;
    if (this.type === wireType.delimited) {
      const size = this.#varint(this.end);
      this.start = this.end;
      this.end += size;
    } else if (this.type === wireType.varint) this.value = this.#varint(this.end);
    else if (this.type === wireType.fixed64) this.end += 8;
    else if (this.type === wireType.fixed32) this.end += 4;
    else if (this.type === wireType.group) this.#skipGroup();
    else throw new RangeError(`wire type ${this.type}`);
    if (this.end > this.#limit) throw new RangeError('a field ends behind its message');
    return true;
  }

  /** Leaves `end` behind the end of a group. */
  #skipGroup(): void {
    const { field } = this;
    for (;;) {
      if (this.end >= this.#limit) throw new RangeError('a group without an end');
      const at = this.end;
      const tag = this.#varint(at);
      if (tag % 8 === wireType.groupEnd && Math.floor(tag / 8) === field) return;
      const inside = new WireReader().read(this.bytes, at, this.#limit);
      inside.next();
      this.end = inside.end;
    }
  }

  /** Reads a varint and leaves `end` behind it. Beyond 2^53 the low digits are lost. */
  #varint(at: number): number {
    let byte = this.bytes[at] as number;
    if (byte < 128) {
      this.end = at + 1;
      return byte;
    }
    let value = byte & 127;
    for (let factor = 128, i = at + 1; i < at + 10; i++, factor *= 128) {
      byte = this.bytes[i] as number;
      value += (byte & 127) * factor;
      if (byte < 128) {
        this.end = i + 1;
        return value;
      }
    }
    throw new RangeError('a number without an end');
  }
}

const emptyBytes = new Uint8Array(0);

/**
 * Copies a stored message and puts fields of ours in their places, in the order of their numbers, so that each comes
 * once and where an encoder would write it.
 *
 * @param ours numbers in ascending order; stored fields with these numbers are dropped
 * @param write writes one of ours
 */
export function mergeFields(
  writer: WireWriter,
  reader: WireReader,
  ours: readonly number[],
  write: (field: number) => void,
): void {
  let next = 0;
  while (reader.next()) {
    const { field, tagAt, end } = reader;
    while (next < ours.length && (ours[next] as number) <= field) write(ours[next++] as number);
    if (!ours.includes(field)) writer.raw(reader.bytes, tagAt, end);
  }
  while (next < ours.length) write(ours[next++] as number);
}
