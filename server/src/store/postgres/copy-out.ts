import type pg from 'pg';

/** The part of the driver's protocol that a statement of our own takes part in. */
interface Wire {
  query(text: string): void;
}

const signatureBytes = 11;

/**
 * Runs a `copy … to stdout (format binary)` and hands each row's columns on as the bytes that the server sent
 * (null stays null). For bulk: bytes come as they are, where a query brings them as hexadecimal text. The buffers
 * belong to the driver and are of use only during the call.
 *
 * @throws Error of the server or the connection; what `onRow` throws is thrown once the server has ended
 */
export function copyOut(
  client: pg.PoolClient,
  text: string,
  onRow: (columns: (Buffer | null)[]) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const rows = new CopyRows(onRow);
    let trouble: unknown;
    client.query({
      submit: (connection: Wire) => connection.query(text),
      handleCopyData({ chunk }: { chunk: Buffer }) {
        try {
          if (trouble === undefined) rows.take(chunk);
        } catch (error) {
          trouble = error;
        }
      },
      handleError: reject,
      handleReadyForQuery: () => (trouble === undefined ? resolve() : reject(trouble)),
      handleRowDescription() {},
      handleDataRow() {},
      handleCommandComplete() {},
      handleEmptyQuery() {},
      handlePortalSuspended() {},
    } as never);
  });
}

/** Takes COPY's binary format apart (PostgreSQL manual, "COPY", Binary Format). Messages may end anywhere in a row. */
class CopyRows {
  readonly #onRow: (columns: (Buffer | null)[]) => void;
  #rest: Buffer = Buffer.alloc(0);
  #hasHeader = false;

  constructor(onRow: (columns: (Buffer | null)[]) => void) {
    this.#onRow = onRow;
  }

  take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = this.#hasHeader ? 0 : this.#header(bytes);
    while (at >= 0 && at < bytes.length) {
      const end = this.#row(bytes, at);
      if (end < 0) break;
      at = end;
    }
    const kept = Math.max(at, 0);
    this.#rest = kept < bytes.length ? Buffer.from(bytes.subarray(kept)) : Buffer.alloc(0);
  }

  /** @returns where the rows begin, or -1 while the header is not complete */
  #header(bytes: Buffer): number {
    if (bytes.length < signatureBytes + 8) return -1;
    const end = signatureBytes + 8 + bytes.readInt32BE(signatureBytes + 4);
    if (bytes.length < end) return -1;
    this.#hasHeader = true;
    return end;
  }

  /** @returns where the row ends, or -1 while it is not complete */
  #row(bytes: Buffer, from: number): number {
    if (from + 2 > bytes.length) return -1;
    const count = bytes.readInt16BE(from);
    if (count < 0) return bytes.length;
    const columns: (Buffer | null)[] = [];
    let at = from + 2;
    for (let column = 0; column < count; column++) {
      if (at + 4 > bytes.length) return -1;
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length < 0) {
        columns.push(null);
        continue;
      }
      if (at + length > bytes.length) return -1;
      columns.push(bytes.subarray(at, at + length));
      at += length;
    }
    this.#onRow(columns);
    return at;
  }
}
