import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** One field of a protobuf message: a number, or the place in the file where its bytes lie. */
export interface ProtoField {
  readonly number: number;
  /** 0 varint, 1 eight bytes, 2 bytes with a length, 5 four bytes. */
  readonly wire: number;
  /** Of a varint; beyond 2^53 it is only near. */
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

export class ProtoTrouble extends Error {}

const windowBytes = 256 * 1024;

/**
 * Reads the fields of a protobuf file without holding it in memory: weights of gigabytes are stepped over.
 *
 * Source: protobuf encoding guide.
 */
export class ProtoFile {
  readonly size: number;
  readonly #descriptor: number;
  readonly #window = Buffer.allocUnsafe(windowBytes);
  #windowStart = 0;
  #windowEnd = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
    this.size = fstatSync(this.#descriptor).size;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** @throws ProtoTrouble where the bytes are no protobuf message */
  *fields(start: number, end: number): Generator<ProtoField> {
    let at = start;
    while (at < end) {
      const [tag, afterTag] = this.#varint(at, end);
      const [number, wire] = [Math.floor(tag / 8), tag % 8];
      if (number < 1) throw new ProtoTrouble('a field without a number');
      if (wire === 0) {
        const [value, next] = this.#varint(afterTag, end);
        yield { number, wire, value, start: afterTag, end: next };
        at = next;
      } else {
        const [length, from] = this.#lengthOf(wire, afterTag, end);
        if (from + length > end) throw new ProtoTrouble('a field that is longer than what it stands in');
        yield { number, wire, value: 0, start: from, end: from + length };
        at = from + length;
      }
    }
  }

  text({ start, end }: ProtoField, bytesMax = 4096): string {
    if (end - start > bytesMax) throw new ProtoTrouble('a name that is too long');
    return this.bytes(start, end).toString('utf8');
  }

  /** Numbers of a repeated int field, packed or not. */
  ints(field: ProtoField): number[] {
    if (field.wire === 0) return [field.value];
    if (field.end - field.start > windowBytes) throw new ProtoTrouble('too many dimensions');
    const values: number[] = [];
    for (let at = field.start; at < field.end; ) {
      const [value, next] = this.#varint(at, field.end);
      values.push(value);
      at = next;
    }
    return values;
  }

  bytes(start: number, end: number): Buffer {
    const out = Buffer.allocUnsafe(end - start);
    let got = 0;
    while (got < out.length) {
      const n = readSync(this.#descriptor, out, got, out.length - got, start + got);
      if (n === 0) throw new ProtoTrouble('the file ends in the middle');
      got += n;
    }
    return out;
  }

  #lengthOf(wire: number, at: number, end: number): [length: number, from: number] {
    if (wire === 1) return [8, at];
    if (wire === 5) return [4, at];
    if (wire === 2) return this.#varint(at, end);
    throw new ProtoTrouble(`a field of the unknown kind ${wire}`);
  }

  #varint(from: number, end: number): [value: number, next: number] {
    let value = 0;
    let factor = 1;
    for (let at = from; at < end && at < from + 10; at += 1, factor *= 128) {
      const byte = this.#byte(at);
      value += (byte & 0x7f) * factor;
      // Ten bytes are a negative number in two's complement.
      if (byte < 0x80) return [at === from + 9 ? value - 2 ** 64 : value, at + 1];
    }
    throw new ProtoTrouble('a number without an end');
  }

  #byte(at: number): number {
    if (at < this.#windowStart || at >= this.#windowEnd) {
      this.#windowStart = at;
      this.#windowEnd = at + readSync(this.#descriptor, this.#window, 0, windowBytes, at);
      if (at >= this.#windowEnd) throw new ProtoTrouble('the file ends in the middle');
    }
    return this.#window[at - this.#windowStart] as number;
  }
}
