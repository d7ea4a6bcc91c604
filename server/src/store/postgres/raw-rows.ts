import pg from 'pg';

/** A row as it lies in what the server sent. */
export interface RawRow {
  readonly bytes: Buffer;
  /** Where the number of its columns stands. */
  readonly at: number;
}

export const rowAt = (bytes: Buffer, at: number): RawRow => ({ bytes, at });

/** 2000-01-01, from which PostgreSQL counts, in milliseconds since 1970. */
const epochMs = 946_684_800_000;

const noBytes = Buffer.alloc(0);

/** Reads the columns of rows one after the other, in the order of the statement. Of use for many rows in turn. */
export class RawColumns {
  bytes: Buffer = noBytes;
  /** Where the column begins and ends in `bytes`; equal for one that is null or empty. */
  start = 0;
  end = 0;

  read(row: RawRow): this {
    this.bytes = row.bytes;
    this.end = row.at + 2;
    return this;
  }

  /** Goes on to the next column. @returns false for null */
  next(): boolean {
    const { bytes, end: at } = this;
    const size =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
    this.start = at + 4;
    this.end = at + 4 + Math.max(0, size);
    return size >= 0;
  }

  /** The columns behind this one, as a row of their own. */
  rest(): RawRow {
    return rowAt(this.bytes, this.end - 2);
  }

  int4(): number {
    this.next();
    return this.bytes.readInt32BE(this.start);
  }

  /** Exact to 2^53, as keys and counts are. */
  int8(): number {
    return this.int8OrNull() ?? 0;
  }

  int8OrNull(): number | null {
    if (!this.next()) return null;
    return this.bytes.readInt32BE(this.start) * 0x1_0000_0000 + this.bytes.readUInt32BE(this.start + 4);
  }

  bool(): boolean {
    this.next();
    return this.bytes[this.start] === 1;
  }

  text(): string {
    this.next();
    return this.bytes.toString('utf8', this.start, this.end);
  }

  /** Milliseconds since 1970 of a timestamptz; parts of a millisecond are cut off. */
  timeMs(): number {
    return Math.floor(this.int8() / 1000) + epochMs;
  }
}

/** The error in an ErrorResponse, as the driver makes it: fields of one letter and a text each. */
export function errorIn(bytes: Buffer, start: number, end: number): Error {
  const fields = new Map<string, string>();
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const stop = bytes.indexOf(0, at + 1);
    fields.set(String.fromCharCode(bytes[at] as number), bytes.toString('utf8', at + 1, stop));
    at = stop + 1;
  }
  const error = new pg.DatabaseError(fields.get('M') ?? 'no message', end - start, 'error');
  error.code = fields.get('C');
  error.detail = fields.get('D');
  error.constraint = fields.get('n');
  return error;
}
