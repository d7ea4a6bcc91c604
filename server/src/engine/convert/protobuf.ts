/**
 * The few pieces of the protobuf wire format that an ONNX file needs: varints, length-delimited fields and
 * 32-bit floats. Writing only; a file of this kind is never read back by us.
 *
 * Source: protobuf encoding guide; field numbers come from onnx.proto3.
 */
export class ProtoWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends a varint field. `value` may be negative; it is then sent as a 64-bit two's complement. */
  int(field: number, value: number): this {
    this.#push(varint(field * 8));
    this.#push(varint(value));
    return this;
  }

  /** Appends a 32-bit float field. */
  float(field: number, value: number): this {
    this.#push(varint(field * 8 + 5));
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#push(varint(field * 8 + 2));
    this.#push(varint(value.length));
    this.#push(value);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** Appends a nested message without copying its parts. */
  message(field: number, value: ProtoWriter): this {
    this.#push(varint(field * 8 + 2));
    this.#push(varint(value.length));
    for (const part of value.#parts) this.#push(part);
    return this;
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      out.set(part, offset);
      offset += part.length;
    }
    return out;
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
