import { ScalarType } from '@bufbuild/protobuf';
import { unlike } from './trouble.ts';

/** Reads one JSON value into the form protobuf-es keeps it in. @throws JsonTrouble */
export type Read = (value: unknown) => unknown;

const integerText = /^\s*[+-]?\d+(\.0*)?\s*$/;

function readInteger(min: number, max: number, wanted: string): Read {
  return (value) => {
    if (typeof value === 'number' && value >= min && value <= max && Number.isInteger(value)) return value;
    if (typeof value === 'string' && integerText.test(value)) {
      const number = Number(value);
      if (number >= min && number <= max) return number;
    }
    throw unlike(value, wanted);
  };
}

function readLong(min: bigint, max: bigint, wanted: string): Read {
  return (value) => {
    let number: bigint | undefined;
    if (typeof value === 'number' && Number.isInteger(value)) number = BigInt(value);
    else if (typeof value === 'string' && integerText.test(value))
      number = BigInt(value.trim().replace(/^\+|\.0*$/g, ''));
    if (number === undefined || number < min || number > max) throw unlike(value, wanted);
    return number;
  };
}

const floatText = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const notFinite: Readonly<Record<string, number>> = { NaN, Infinity, '-Infinity': -Infinity };

function readFloat(value: unknown): number {
  if (typeof value === 'number') return value;
  // Old clients send true and false as the value of a concept.
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    if (floatText.test(value)) return Number(value);
    const named = notFinite[value.trim()];
    if (named !== undefined) return named;
  }
  throw unlike(value, 'a number');
}

// Beyond this a number is infinite as float32; the contract's wire cannot carry it.
const floatMax = 3.4028235677973366e38;

function readFloat32(value: unknown): number {
  const number = readFloat(value);
  if (Number.isFinite(number) && Math.abs(number) >= floatMax)
    throw unlike(value, 'a number in the range of a 32-bit float');
  return number;
}

const booleans = new Map<unknown, boolean>([
  [true, true],
  [1, true],
  ['1', true],
  ['true', true],
  ['True', true],
  ['TRUE', true],
  [false, false],
  [0, false],
  ['0', false],
  ['false', false],
  ['False', false],
  ['FALSE', false],
]);

function readBoolean(value: unknown): boolean {
  const known = booleans.get(value);
  if (known === undefined) throw unlike(value, 'true or false');
  return known;
}

function readText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw unlike(value, 'a text');
}

const base64Text = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Standard or URL alphabet, padded or not, line breaks allowed. */
function readBytes(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw unlike(value, 'a base64 text');
  const text = /\s/.test(value) ? value.replaceAll(/\s+/g, '') : value;
  if (!base64Text.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw unlike(value, 'a base64 text');
  // Copied out of Node's shared pool, so that holding one small field does not hold eight kilobytes.
  return new Uint8Array(Buffer.from(text, 'base64'));
}

const readInt32 = readInteger(-(2 ** 31), 2 ** 31 - 1, 'a whole number of 32 bits');
const readUint32 = readInteger(0, 2 ** 32 - 1, 'a whole number from 0 to 4294967295');
const readInt64 = readLong(-(2n ** 63n), 2n ** 63n - 1n, 'a whole number of 64 bits');
const readUint64 = readLong(0n, 2n ** 64n - 1n, 'a whole number of 64 bits that is not negative');

const readers: Readonly<Record<ScalarType, Read>> = {
  [ScalarType.DOUBLE]: readFloat,
  [ScalarType.FLOAT]: readFloat32,
  [ScalarType.INT64]: readInt64,
  [ScalarType.SINT64]: readInt64,
  [ScalarType.SFIXED64]: readInt64,
  [ScalarType.UINT64]: readUint64,
  [ScalarType.FIXED64]: readUint64,
  [ScalarType.INT32]: readInt32,
  [ScalarType.SINT32]: readInt32,
  [ScalarType.SFIXED32]: readInt32,
  [ScalarType.UINT32]: readUint32,
  [ScalarType.FIXED32]: readUint32,
  [ScalarType.BOOL]: readBoolean,
  [ScalarType.STRING]: readText,
  [ScalarType.BYTES]: readBytes,
};

/** The reader of a scalar type: strict about meaning, lenient about spelling (SEMANTICS 1.4). */
export const scalarReader = (type: ScalarType): Read => readers[type];
