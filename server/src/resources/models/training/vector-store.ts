import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '#domain/ids.ts';
import { rowCountOf, type Vectors } from '#engine/training/index.ts';

/** Where the vectors of a training are put together, row after row. */
export interface VectorStore<Kept extends Vectors = Vectors> {
  /** Before the first row. @param rowsMax how many there may be at most */
  begin(rowsMax: number, dims: number): Promise<void>;
  add(vectors: readonly Float32Array[]): Promise<void>;
  readonly vectors: Kept;
}

/** In shared memory, where threads learn from it without a copy. */
export class VectorMemory implements VectorStore<Float32Array> {
  #all: Float32Array = new Float32Array(0);
  #used = 0;

  async begin(rowsMax: number, dims: number): Promise<void> {
    this.#all = new Float32Array(new SharedArrayBuffer(rowsMax * dims * 4));
  }

  async add(vectors: readonly Float32Array[]): Promise<void> {
    for (const vector of vectors) {
      this.#all.set(vector, this.#used);
      this.#used += vector.length;
    }
  }

  get vectors(): Float32Array {
    return this.#all.subarray(0, this.#used);
  }
}

/** No training takes so long: a file that is older was left behind by a process that died. */
const staleMs = 3 * 24 * 3_600_000;

/** In a file of its own below a folder, until it is removed. */
export class VectorScratch implements VectorStore {
  readonly #folder: string;
  readonly #file: string;
  #handle: FileHandle | undefined;
  #rows = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, `${newId()}.f32`);
  }

  async begin(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if ((await stat(path)).mtimeMs < Date.now() - staleMs) await rm(path, { force: true });
    }
    this.#handle = await open(this.#file, 'wx', 0o600);
  }

  async add(vectors: readonly Float32Array[]): Promise<void> {
    const bytes = vectors.map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
    await this.#handle?.writeFile(Buffer.concat(bytes));
    this.#rows += vectors.length;
  }

  get vectors(): Vectors {
    return { file: this.#file, rows: this.#rows };
  }

  async remove(): Promise<void> {
    await this.#handle?.close();
    await rm(this.#file, { force: true });
  }
}

/** Vectors that take more are learnt from where they lie in a file. */
const memoryBytesMax = 512 * 2 ** 20;

/** In memory as long as they fit, else in a file below the folder. */
export class VectorSpill implements VectorStore {
  readonly #folder: string;
  readonly #bytesMax: number;
  #store: VectorMemory | VectorScratch = new VectorMemory();

  constructor(folder: string, bytesMax = memoryBytesMax) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  async begin(rowsMax: number, dims: number): Promise<void> {
    if (rowsMax * dims * 4 > this.#bytesMax) this.#store = new VectorScratch(this.#folder);
    await this.#store.begin(rowsMax, dims);
  }

  add(vectors: readonly Float32Array[]): Promise<void> {
    return this.#store.add(vectors);
  }

  get vectors(): Vectors {
    return this.#store.vectors;
  }

  async remove(): Promise<void> {
    if (this.#store instanceof VectorScratch) await this.#store.remove();
  }
}

/** Some rows, wherever they lie, in shared memory. @param rows ascending */
export async function pickRows(
  vectors: Vectors,
  dims: number,
  rows: readonly number[],
): Promise<Float32Array> {
  const picked = new Float32Array(new SharedArrayBuffer(rows.length * dims * 4));
  if (vectors instanceof Float32Array) {
    for (const [at, row] of rows.entries())
      picked.set(vectors.subarray(row * dims, (row + 1) * dims), at * dims);
    return picked;
  }
  const file = await open(vectors.file, 'r');
  try {
    const one = new Float32Array(dims);
    for (const [at, row] of rows.entries()) {
      if (row >= rowCountOf(vectors, dims)) throw new RangeError(`there is no row ${row}`);
      await file.read(new Uint8Array(one.buffer), 0, dims * 4, row * dims * 4);
      picked.set(one, at * dims);
    }
  } finally {
    await file.close();
  }
  return picked;
}
