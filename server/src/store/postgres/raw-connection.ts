import type { Socket } from 'node:net';
import type pg from 'pg';
import { errorIn, type RawRow, rowAt } from './raw-rows.ts';
import { bindMessage, executeAndSync, parseMessage, type RawStatement, type RawValue } from './raw-values.ts';

interface Asked {
  readonly statement: RawStatement;
  readonly rows: RawRow[];
  error: unknown;
  resolve(rows: RawRow[]): void;
  reject(error: unknown): void;
}

/** First bytes of the messages of the server (PostgreSQL manual, "Message Formats"). */
const code = { parsed: 0x31, row: 0x44, error: 0x45, ready: 0x5a } as const;

/**
 * A connection that the driver has opened and signed in, and that reads statements by itself from then on: prepared,
 * results in the binary format, one after the other. The driver would make texts of all columns and objects of all rows,
 * which costs more than the database's own work.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #prepared = new Set<string>();
  /** Answered in this order. */
  readonly #asked: Asked[] = [];
  #lost: Error | undefined;
  #pieces: Buffer[] = [];
  #sizeBytes = 0;
  /** Bytes that the message at the beginning of `#pieces` needs. */
  #neededBytes = 5;

  constructor(client: pg.ClientBase) {
    this.#socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('close', () => this.#fail(new Error('Connection terminated unexpectedly')));
    client.on('error', (error) => this.#fail(error));
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Sends all of these at once. Each has an answer of its own: that one fails is nothing to the others.
   *
   * @throws Error of the server (with its SQLSTATE as `code`) or of the connection
   */
  read(reads: readonly (readonly [RawStatement, readonly RawValue[]])[]): Promise<RawRow[]>[] {
    const messages: Buffer[] = [];
    const parsed: string[] = [];
    const answers = reads.map(([statement, values]) => {
      if (!this.#prepared.has(statement.name) && !parsed.includes(statement.name)) {
        messages.push(parseMessage(statement));
        parsed.push(statement.name);
      }
      messages.push(bindMessage(statement.name, values), executeAndSync);
      return new Promise<RawRow[]>((resolve, reject) => {
        if (this.#lost) reject(this.#lost);
        else this.#asked.push({ statement, rows: [], error: undefined, resolve, reject });
      });
    });
    if (!this.#lost) this.#socket.write(Buffer.concat(messages));
    return answers;
  }

  #fail(error: Error): void {
    this.#lost ??= error;
    // A server that shuts down says so before it hangs up.
    for (const asked of this.#asked.splice(0)) asked.reject(asked.error ?? error);
  }

  #take(chunk: Buffer): void {
    this.#pieces.push(chunk);
    this.#sizeBytes += chunk.length;
    // A large row comes in many pieces, which are joined once all of it is there.
    if (this.#sizeBytes < this.#neededBytes) return;
    const bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces, this.#sizeBytes);
    let at = 0;
    this.#neededBytes = 5;
    while (bytes.length - at >= 5) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) {
        this.#neededBytes = end - at;
        break;
      }
      this.#message(bytes, at, end);
      at = end;
    }
    this.#sizeBytes = bytes.length - at;
    this.#pieces = this.#sizeBytes === 0 ? [] : [bytes.subarray(at)];
  }

  #message(bytes: Buffer, at: number, end: number): void {
    const [asked] = this.#asked;
    if (!asked) return;
    switch (bytes[at]) {
      case code.row:
        asked.rows.push(rowAt(bytes, at + 5));
        break;
      case code.parsed:
        this.#prepared.add(asked.statement.name);
        break;
      case code.error:
        asked.error = errorIn(bytes, at + 5, end);
        break;
      case code.ready:
        this.#asked.shift();
        if (asked.error === undefined) asked.resolve(asked.rows);
        else asked.reject(asked.error);
    }
  }
}
