import { openSync, readSync } from 'node:fs';

/** Vectors in a file, float32 row after row as the machine writes them: for sets too large to be held in memory. */
export interface VectorFile {
  readonly file: string;
  readonly rows: number;
}

export type Vectors = Float32Array | VectorFile;

export const rowCountOf = (vectors: Vectors, dims: number): number =>
  vectors instanceof Float32Array ? vectors.length / dims : vectors.rows;

/** Reads vectors row by row, wherever they are. */
export interface RowReader {
  /** What `locate` points into; with a file, what was located before may be overwritten. */
  readonly data: Float32Array;
  /** Where in `data` a row begins. */
  locate(row: number): number;
}

export function readerOf(vectors: Vectors, dims: number): RowReader {
  if (vectors instanceof Float32Array) return { data: vectors, locate: (row) => row * dims };
  return new FileReader(vectors, dims);
}

const blockRows = 256;

/** A row at a time where they are asked for in any order, a block at a time where one follows the other. */
class FileReader implements RowReader {
  readonly data: Float32Array;
  readonly #bytes: Uint8Array;
  readonly #rowBytes: number;
  readonly #rows: number;
  readonly #dims: number;
  /** Closed when the thread ends, for a training has one of its own. */
  readonly #file: number;
  #first = 0;
  #count = 0;
  #last = -1;

  constructor({ file, rows }: VectorFile, dims: number) {
    this.data = new Float32Array(blockRows * dims);
    this.#bytes = new Uint8Array(this.data.buffer);
    this.#rowBytes = dims * 4;
    this.#rows = rows;
    this.#dims = dims;
    this.#file = openSync(file, 'r');
  }

  locate(row: number): number {
    if (row < this.#first || row >= this.#first + this.#count) {
      const isNext = row === this.#last + 1;
      this.#first = row;
      this.#count = isNext ? Math.min(blockRows, this.#rows - row) : 1;
      const wanted = this.#count * this.#rowBytes;
      const read = readSync(this.#file, this.#bytes, 0, wanted, row * this.#rowBytes);
      if (read !== wanted) throw new Error(`the file of vectors ends in row ${row} of ${this.#rows}`);
    }
    this.#last = row;
    return (row - this.#first) * this.#dims;
  }
}
