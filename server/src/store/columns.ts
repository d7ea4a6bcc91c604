/**
 * Columns of rows to insert, as PostgreSQL takes arrays in its binary form (array_recv in arrayfuncs.c): as text, every
 * value is escaped here and parsed there again. Buffers travel as they are; the template says the type: `${int8s(keys)}::bigint[]`.
 */

/** Type numbers of PostgreSQL (pg_type.dat). */
const oid = { bool: 16, bytea: 17, int8: 20, int4: 23, text: 25, float4: 700 } as const;

type Values<T> = readonly (T | null)[];

const headBytes = 20;

/** One dimension, counted from 1; each value behind its length, -1 for none. */
function column<T>(
  type: number,
  values: Values<T>,
  valueBytes: number,
  write: (bytes: Buffer, value: T, at: number) => void,
): Buffer {
  if (values.length === 0) return none(type);
  const bytes = Buffer.allocUnsafe(headBytes + values.length * (4 + valueBytes));
  let hasNull = false;
  let at = headBytes;
  for (const value of values) {
    if (value === null) {
      at = bytes.writeInt32BE(-1, at);
      hasNull = true;
      continue;
    }
    at = bytes.writeInt32BE(valueBytes, at);
    write(bytes, value, at);
    at += valueBytes;
  }
  writeHead(bytes, type, values.length, hasNull);
  return bytes.subarray(0, at);
}

function writeHead(bytes: Buffer, type: number, count: number, hasNull: boolean): void {
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(hasNull ? 1 : 0, 4);
  bytes.writeInt32BE(type, 8);
  bytes.writeInt32BE(count, 12);
  bytes.writeInt32BE(1, 16);
}

function none(type: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeInt32BE(type, 8);
  return bytes;
}

/** Whole numbers that JavaScript holds exactly. */
export const int8s = (values: Values<number>): Buffer =>
  column(oid.int8, values, 8, (bytes, value, at) => {
    bytes.writeInt32BE(Math.floor(value / 2 ** 32), at);
    bytes.writeUInt32BE(value >>> 0, at + 4);
  });

export const int4s = (values: Values<number>): Buffer =>
  column(oid.int4, values, 4, (bytes, value, at) => bytes.writeInt32BE(value, at));

export const float4s = (values: Values<number>): Buffer =>
  column(oid.float4, values, 4, (bytes, value, at) => bytes.writeFloatBE(value, at));

export const bools = (values: Values<boolean>): Buffer =>
  column(oid.bool, values, 1, (bytes, value, at) => bytes.writeUInt8(value ? 1 : 0, at));

/** A lone surrogate becomes U+FFFD, as in every text that is sent. */
export function texts(values: Values<string>): Buffer {
  if (values.length === 0) return none(oid.text);
  // A unit of UTF-16 takes three bytes at most.
  let most = headBytes;
  for (const value of values) most += 4 + 3 * (value?.length ?? 0);
  const bytes = Buffer.allocUnsafe(most);
  let hasNull = false;
  let at = headBytes;
  for (const value of values) {
    if (value === null) {
      at = bytes.writeInt32BE(-1, at);
      hasNull = true;
      continue;
    }
    const length = bytes.write(value, at + 4, 'utf8');
    bytes.writeInt32BE(length, at);
    at += 4 + length;
  }
  writeHead(bytes, oid.text, values.length, hasNull);
  return bytes.subarray(0, at);
}

export function byteas(values: Values<Uint8Array>): Buffer {
  if (values.length === 0) return none(oid.bytea);
  const bytes = Buffer.allocUnsafe(values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), headBytes));
  let hasNull = false;
  let at = headBytes;
  for (const value of values) {
    at = bytes.writeInt32BE(value === null ? -1 : value.length, at);
    if (value === null) {
      hasNull = true;
      continue;
    }
    bytes.set(value, at);
    at += value.length;
  }
  writeHead(bytes, oid.bytea, values.length, hasNull);
  return bytes;
}
