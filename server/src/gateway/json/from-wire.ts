import { type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { WireReader, wireType } from '@fovea/contract';
import { encodeJson, memberOf, type NameStyle } from './encode.ts';
import { JsonBytes } from './json-bytes.ts';
import { showDouble, showFloat32 } from './numbers.ts';
import { isInCalendar } from './times.ts';
import { type Kind, type Plan, planOf, type Shown, type Slot } from './wire-plan.ts';

/**
 * The JSON text of a message that is encoded, without a message in between: what `encodeJson` says, at a tenth of the
 * cost. Fields of rare kinds, and encodings that no encoder of ours writes, go the long way.
 */
export function jsonFromWire(desc: DescMessage, bytes: Buffer, options: { names?: NameStyle } = {}): Buffer {
  const names = options.names ?? 'snake';
  try {
    return new Transcoder(bytes).whole(planOf(desc, names));
  } catch (thrown) {
    if (thrown !== uncommon) throw thrown;
    return Buffer.from(encodeJson(desc, fromBinary(desc, bytes), { names }));
  }
}

/** Thrown where the encoding holds what only a decoder should judge: a message in two parts, another wire type … */
const uncommon = Symbol('uncommon encoding');

/** @throws uncommon where a field is encoded as one of another type */
function checkType(slot: Slot, { type }: WireReader): void {
  if (type === slot.wire || slot.kind === 'rare') return;
  if (!slot.isList || type !== wireType.delimited) throw uncommon;
}

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const quote = 0x22;
const noTime = Buffer.from('"1970-01-01T00:00:00.000000Z"');
const [yes, no] = [Buffer.from('true'), Buffer.from('false')];

/** A slot that showed so many different ones in a row is not expected to repeat itself. */
const missesMax = 4;
let textsMade = 0;

/** About how many bytes of JSON a byte of the encoding makes: seldom more, or the text has to be moved. */
const jsonPerWire = 5;

class Transcoder {
  readonly #bytes: Buffer;
  readonly #reader = new WireReader();
  readonly #json: JsonBytes;
  #text = ++textsMade;
  /** Where the fields of the messages that are open begin and end, slot by slot; the innermost message is last. */
  #begins = new Int32Array(256);
  #ends = new Int32Array(256);
  #depth = 0;
  /** Halves of the number read last. */
  #low = 0;
  #high = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#json = new JsonBytes(256 + jsonPerWire * bytes.length);
  }

  whole(plan: Plan): Buffer {
    this.#message(plan, 0, this.#bytes.length);
    return this.#json.taken();
  }

  #message(plan: Plan, start: number, end: number): void {
    const began = this.#json.length;
    if (plan.isOrdered && this.#inOrder(plan, start, end)) return;
    // What was written meanwhile is gone, and so is what was to be copied from it.
    if (this.#json.length !== began) this.#text = ++textsMade;
    this.#json.length = began;
    this.#inAnyOrder(plan, start, end);
  }

  /** Shows fields as they come. @returns false where one comes before another that is declared before it, or twice */
  #inOrder(plan: Plan, start: number, end: number): boolean {
    const [json, bytes] = [this.#json, this.#bytes];
    const began = json.length;
    const { slots, emptyAt, slotOf } = plan;
    let emptyFrom = 0;
    let isOneShown = false;
    for (let position = start; position < end; ) {
      const reader = this.#reader.read(bytes, position, end);
      reader.next();
      position = reader.end;
      const at = slotOf[reader.field];
      if (at === undefined) continue;
      if (at < emptyFrom) return false;
      const slot = slots[at] as Slot;
      checkType(slot, reader);
      if (slot.siblings.length > 0) {
        if (isOneShown) throw uncommon;
        isOneShown = true;
      }
      json.raw(plan.empties, emptyAt[emptyFrom], emptyAt[at]);
      const before = json.length;
      json.raw(slot.head);
      const { tagAt, start: valueAt } = reader;
      let isShown: boolean;
      if (slot.isList || slot.kind === 'rare') {
        while (reader.next() && reader.field === slot.field.number) {
          checkType(slot, reader);
          position = reader.end;
        }
        isShown =
          slot.kind === 'rare' ? this.#rare(slot, tagAt, position) : this.#list(slot, tagAt, position);
      } else {
        isShown = this.#value(slot, valueAt, position) || slot.hasPresence;
      }
      emptyFrom = isShown ? at + 1 : at;
      if (!isShown) json.length = before;
    }
    this.#endMessage(plan, began, emptyFrom);
    return true;
  }

  /** Writes what is absent behind the last field that is there, and the braces. */
  #endMessage(plan: Plan, began: number, emptyFrom: number): void {
    const json = this.#json;
    json.raw(plan.empties, plan.emptyAt[emptyFrom]);
    // Each member begins with a comma; the first one's is where the brace belongs.
    if (json.length === began) json.byte(openBrace);
    else json.bytes[began] = openBrace;
    json.byte(closeBrace);
  }

  #inAnyOrder(plan: Plan, start: number, end: number): void {
    const base = this.#depth;
    this.#find(plan, base, start, end);
    const json = this.#json;
    const began = json.length;
    const { slots, emptyAt } = plan;
    // Absent fields are written together, up to the next one that is there.
    let emptyFrom = 0;
    for (let at = 0; at < slots.length; at++) {
      const begin = this.#begins[base + at] as number;
      if (begin < 0) continue;
      const slot = slots[at] as Slot;
      json.raw(plan.empties, emptyAt[emptyFrom], emptyAt[at]);
      emptyFrom = at + 1;
      const before = json.length;
      json.raw(slot.head);
      if (this.#member(slot, begin, this.#ends[base + at] as number)) continue;
      json.length = before;
      emptyFrom = at;
    }
    this.#endMessage(plan, began, emptyFrom);
    this.#depth = base;
  }

  /** Notes where the fields of a message are. */
  #find(plan: Plan, base: number, start: number, end: number): void {
    this.#depth = base + plan.slots.length;
    if (this.#depth > this.#begins.length) this.#deepen();
    const [begins, ends] = [this.#begins, this.#ends];
    begins.fill(-1, base, this.#depth);
    const reader = this.#reader.read(this.#bytes, start, end);
    while (reader.next()) {
      const at = plan.slotOf[reader.field];
      if (at === undefined) continue;
      const slot = plan.slots[at] as Slot;
      const isFirst = begins[base + at] === -1;
      checkType(slot, reader);
      if (
        !isFirst &&
        !slot.isList &&
        slot.wire === wireType.delimited &&
        slot.kind !== 'text' &&
        slot.kind !== 'rare'
      )
        throw uncommon;
      for (const other of slot.siblings) if (begins[base + other] !== -1) throw uncommon;
      // Of a field that comes twice the last counts; a list, or what is left to a decoder, is all of them.
      if (isFirst || !(slot.isList || slot.kind === 'rare')) begins[base + at] = reader.tagAt;
      ends[base + at] = reader.end;
    }
  }

  #deepen(): void {
    const size = 2 * this.#depth;
    const [begins, ends] = [new Int32Array(size), new Int32Array(size)];
    begins.set(this.#begins);
    ends.set(this.#ends);
    [this.#begins, this.#ends] = [begins, ends];
  }

  /** Writes a member's value. @returns false when it is empty after all */
  #member(slot: Slot, begin: number, end: number): boolean {
    if (slot.kind === 'rare') return this.#rare(slot, begin, end);
    if (slot.isList) return this.#list(slot, begin, end);
    const reader = this.#reader.read(this.#bytes, begin, end);
    reader.next();
    return this.#value(slot, reader.start, reader.end) || slot.hasPresence;
  }

  #list(slot: Slot, begin: number, end: number): boolean {
    const json = this.#json;
    const began = json.length;
    for (let at = begin; at < end; ) {
      const reader = this.#reader.read(this.#bytes, at, end);
      reader.next();
      at = reader.end;
      if (reader.field !== slot.field.number) continue;
      const { start, type } = reader;
      if (type === slot.wire) {
        json.byte(comma);
        this.#value(slot, start, at);
      } else {
        this.#packed(slot, start, at);
      }
    }
    if (json.length === began) return false;
    json.bytes[began] = openBracket;
    json.byte(closeBracket);
    return true;
  }

  /** Numbers one behind the other. */
  #packed(slot: Slot, start: number, end: number): void {
    for (let at = start; at < end; ) {
      let next = at;
      if (slot.wire === wireType.fixed32) next += 4;
      else if (slot.wire === wireType.fixed64) next += 8;
      else {
        while ((this.#bytes[next] as number) > 127) next += 1;
        next += 1;
      }
      this.#json.byte(comma);
      this.#value(slot, at, next);
      at = next;
    }
  }

  /** @returns whether the value is another than the one that proto3 leaves out */
  #value(slot: Slot, start: number, end: number): boolean {
    const json = this.#json;
    switch (slot.kind) {
      case 'text':
        json.string(this.#bytes, start, end);
        return end > start;
      case 'bytes':
        json.byte(quote);
        json.json(this.#bytes.toString('base64', start, end));
        json.byte(quote);
        return end > start;
      case 'message':
      case 'time':
        if (!this.#repeated(slot.last, start, end)) this.#shown(slot, start, end);
        return true;
      case 'float':
        return this.#number(showFloat32(this.#bytes.readFloatLE(start)));
      case 'double':
        return this.#number(showDouble(this.#bytes.readDoubleLE(start)));
      default:
        this.#varint(start);
        return this.#integer(slot.kind);
    }
  }

  /** Rows of a page have many parts in common; such a part is copied from where it was written before. */
  #repeated(last: Shown, start: number, end: number): boolean {
    if (last.text !== this.#text || last.misses > missesMax) return false;
    const bytes = this.#bytes;
    let same = end - start === last.end - last.start;
    for (let at = start, other = last.start; same && at < end; at++, other++)
      same = bytes[at] === bytes[other];
    if (!same) {
      last.misses += 1;
      return false;
    }
    last.misses = 0;
    this.#json.again(last.jsonAt, last.jsonEnd);
    return true;
  }

  #shown(slot: Slot, start: number, end: number): void {
    const jsonAt = this.#json.length;
    if (slot.kind === 'time') this.#time(start, end);
    else {
      slot.plan ??= planOf(slot.inner as DescMessage, slot.names);
      this.#message(slot.plan, start, end);
    }
    const { last } = slot;
    if (last.text !== this.#text) {
      last.text = this.#text;
      last.misses = 0;
    }
    last.start = start;
    last.end = end;
    last.jsonAt = jsonAt;
    last.jsonEnd = this.#json.length;
  }

  #number(shown: number | string): boolean {
    this.#json.json(JSON.stringify(shown));
    return Boolean(shown);
  }

  #integer(kind: Kind): boolean {
    const json = this.#json;
    const [low, high] = [this.#low, this.#high];
    switch (kind) {
      case 'bool':
        json.raw(low !== 0 || high !== 0 ? yes : no);
        return low !== 0 || high !== 0;
      case 'int32':
        json.integer(low | 0);
        return low !== 0;
      case 'uint32':
        json.integer(low);
        return low !== 0;
      default: {
        const top = kind === 'int64' ? high | 0 : high;
        json.byte(quote);
        if (top === 0) json.integer(low);
        else json.json(String((BigInt(top) << 32n) + BigInt(low)));
        json.byte(quote);
        return low !== 0 || high !== 0;
      }
    }
  }

  /** Reads a number of up to 64 bits into `#low` and `#high`. */
  #varint(start: number): void {
    const bytes = this.#bytes;
    let [low, high] = [0, 0];
    for (let at = start, shift = 0; shift < 70; at++, shift += 7) {
      const byte = bytes[at] as number;
      const digits = byte & 127;
      if (shift < 28) low |= digits << shift;
      else if (shift === 28) {
        low |= digits << 28;
        high |= digits >>> 4;
      } else high |= digits << (shift - 32);
      if (byte < 128) break;
    }
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }

  /** As `showTimestamp` does. */
  #time(start: number, end: number): void {
    const json = this.#json;
    let [seconds, nanos] = [0, 0];
    const reader = this.#reader.read(this.#bytes, start, end);
    while (reader.next()) {
      if (reader.type !== wireType.varint) continue;
      this.#varint(reader.start);
      if (reader.field === 1) seconds = (this.#high | 0) * 0x1_0000_0000 + this.#low;
      else if (reader.field === 2) nanos = this.#low | 0;
    }
    if (!isInCalendar(seconds)) {
      json.raw(noTime);
      return;
    }
    const day = Math.floor(seconds / 86_400);
    const inDay = seconds - day * 86_400;
    const micros = Math.min(999_999, Math.max(0, Math.floor(nanos / 1000)));
    json.byte(quote);
    json.raw(dayText(day));
    json.digits(Math.floor(inDay / 3600), 2);
    json.byte(colon);
    json.digits(Math.floor(inDay / 60) % 60, 2);
    json.byte(colon);
    json.digits(inDay % 60, 2);
    json.byte(point);
    json.digits(micros, 6);
    json.raw(zulu);
  }

  /** Decodes the one field, and shows it as `encodeJson` does. */
  #rare(slot: Slot, begin: number, end: number): boolean {
    const pieces: Buffer[] = [];
    const reader = this.#reader.read(this.#bytes, begin, end);
    while (reader.next())
      if (reader.field === slot.field.number) pieces.push(this.#bytes.subarray(reader.tagAt, reader.end));
    const message = fromBinary(slot.desc, Buffer.concat(pieces)) as unknown as Record<string, unknown>;
    const into: Record<string, unknown> = {};
    memberOf(slot.field, slot.names)(message, into);
    const [shown] = Object.values(into);
    if (shown === undefined) return false;
    this.#json.json(JSON.stringify(shown));
    return true;
  }
}

const colon = 0x3a;
const point = 0x2e;
const zulu = Buffer.from('Z"');

let lastDay = { day: Number.NaN, text: Buffer.alloc(0) };

/** `2024-09-04T` of a day counted from 1970; most times of a page are of one day. */
function dayText(day: number): Buffer {
  if (lastDay.day !== day)
    lastDay = { day, text: Buffer.from(new Date(day * 86_400_000).toISOString().slice(0, 11)) };
  return lastDay.text;
}
