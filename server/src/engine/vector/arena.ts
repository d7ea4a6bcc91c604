import { arenaPagesMax, bindScanKernel, queryMost, rowsAtOnce, type ScanKernel } from './scan-kernel.ts';
import { type WasmMemory, wasm } from './wasm.ts';

const pageBytes = 65_536;
/** Rows scored by one kernel call. */
export const rowsPerCall = 512;
export const dimsMax = 16_384;

/** What one thread needs to scan an arena: row addresses, the query in both forms, and the scores that come out. */
const scratchBytes = rowsPerCall * 4 + dimsMax * 4 + rowsPerCall * 4 + dimsMax * 2;

/** One shared memory as one thread sees it. */
export class ArenaView {
  readonly kernel: ScanKernel;
  readonly #memory: WasmMemory;
  #floats: Float32Array;
  #codes: Int8Array;
  readonly list: Int32Array;
  readonly query: Float32Array;
  readonly out: Float32Array;
  /** The query as whole numbers, for codes. */
  readonly shortQuery: Int16Array;

  constructor(memory: WasmMemory, scratchAt: number) {
    this.#memory = memory;
    this.kernel = bindScanKernel(memory);
    this.#floats = new Float32Array(memory.buffer);
    this.#codes = new Int8Array(memory.buffer);
    this.list = new Int32Array(memory.buffer, scratchAt, rowsPerCall);
    this.query = new Float32Array(memory.buffer, scratchAt + rowsPerCall * 4, dimsMax);
    this.out = new Float32Array(memory.buffer, scratchAt + rowsPerCall * 4 + dimsMax * 4, rowsPerCall);
    this.shortQuery = new Int16Array(memory.buffer, scratchAt + rowsPerCall * 8 + dimsMax * 4, dimsMax);
  }

  /** Scores the first `count` rows of `list` into `out`: dot products, or squared distances, to `query`. */
  score(metric: 'cosine' | 'euclidean', count: number, stride: number): void {
    const { list, query, out, kernel } = this;
    const groups = this.#wholeGroups(count);
    const rows = metric === 'cosine' ? kernel.dotRows : kernel.distanceRows;
    rows(list.byteOffset, groups, query.byteOffset, out.byteOffset, stride * 4);
  }

  /** Dot products of the first `count` codes of `list` with `shortQuery`, into `out`. */
  scoreCodes(count: number, stride: number): void {
    const { list, shortQuery, out, kernel } = this;
    kernel.dotCodes(list.byteOffset, this.#wholeGroups(count), shortQuery.byteOffset, out.byteOffset, stride);
  }

  /** @returns how many groups the first `count` rows of the list make, the last filled up with any row */
  #wholeGroups(count: number): number {
    const groups = Math.ceil(count / rowsAtOnce);
    const last = this.list[count - 1] as number;
    for (let i = count; i < groups * rowsAtOnce; i += 1) this.list[i] = last;
    return groups;
  }

  /**
   * Lays a query down for `scoreCodes`.
   *
   * @returns what a whole number of it stands for; 0 for a query of zeros
   */
  setShortQuery(query: Float32Array, stride: number): number {
    let most = 0;
    for (let i = 0; i < query.length; i += 1) most = Math.max(most, Math.abs(query[i] as number));
    const toShort = most > 0 ? queryMost / most : 0;
    const { shortQuery } = this;
    for (let i = 0; i < query.length; i += 1) shortQuery[i] = Math.round((query[i] as number) * toShort);
    shortQuery.fill(0, query.length, stride);
    return most / queryMost;
  }

  /** As `floatsUpTo`, byte by byte. */
  codesUpTo(byteEnd: number): Int8Array {
    if (this.#codes.byteLength < byteEnd) this.#codes = new Int8Array(this.#memory.buffer);
    return this.#codes;
  }

  /** The whole memory as floats, up to at least `byteEnd`; a grown memory needs a new view. */
  floatsUpTo(byteEnd: number): Float32Array {
    if (this.#floats.byteLength < byteEnd) this.#floats = new Float32Array(this.#memory.buffer);
    return this.#floats;
  }
}

export interface SharedArena {
  memory: WasmMemory;
  /** Where each thread's scratch begins: the owner's and the worker's. */
  ownerScratchAt: number;
  workerScratchAt: number;
}

export interface Block {
  arena: number;
  address: number;
}

/**
 * Hands out blocks of shared memory to scopes. Blocks never move, so growing a scope copies nothing;
 * given-back blocks are kept by size for the next scope of the same width.
 */
export class ArenaPool {
  readonly shared: SharedArena[] = [];
  readonly views: ArenaView[] = [];
  readonly #ends: number[] = [];
  readonly #free = new Map<number, Block[]>();
  readonly #onArena: (index: number, arena: SharedArena) => void;

  constructor(onArena: (index: number, arena: SharedArena) => void) {
    this.#onArena = onArena;
  }

  /** @throws RangeError when the machine has no more memory to give */
  take(bytes: number): Block {
    const reused = this.#free.get(bytes)?.pop();
    if (reused !== undefined) return reused;
    const arena = this.#arenaWithRoom(bytes);
    const address = this.#ends[arena] as number;
    const memory = (this.shared[arena] as SharedArena).memory;
    const missing = address + bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    this.#ends[arena] = address + bytes;
    return { arena, address };
  }

  giveBack(bytes: number, block: Block): void {
    const same = this.#free.get(bytes);
    if (same === undefined) this.#free.set(bytes, [block]);
    else same.push(block);
  }

  get bytesHeld(): number {
    return this.shared.reduce((sum, arena) => sum + arena.memory.buffer.byteLength, 0);
  }

  #arenaWithRoom(bytes: number): number {
    const last = this.shared.length - 1;
    if (last >= 0 && (this.#ends[last] as number) + bytes <= arenaPagesMax * pageBytes) return last;
    return this.#openArena();
  }

  #openArena(): number {
    // The first bytes stay unused so that address 0 never means a row.
    const ownerScratchAt = 64;
    const workerScratchAt = ownerScratchAt + scratchBytes;
    const end = workerScratchAt + scratchBytes;
    const memory = new wasm.Memory({
      initial: Math.ceil(end / pageBytes),
      maximum: arenaPagesMax,
      shared: true,
    });
    const arena = { memory, ownerScratchAt, workerScratchAt };
    this.shared.push(arena);
    this.views.push(new ArenaView(memory, ownerScratchAt));
    this.#ends.push(end);
    this.#onArena(this.shared.length - 1, arena);
    return this.shared.length - 1;
  }
}
