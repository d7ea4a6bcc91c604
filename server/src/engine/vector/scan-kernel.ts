import { type WasmMemory, type WasmModule, wasm } from './wasm.ts';
import { assemble, type Code, code, type KernelFunction, op } from './wasm-assembler.ts';

/** One arena of vectors may hold 2 GiB: 32,768 pages of 64 KiB, so that addresses stay positive as int32. */
export const arenaPagesMax = 32_768;

/** Rows are padded with zeros to a multiple of this many floats: four vectors of four are read at a time. */
export const strideStep = 16;

/** Arguments are byte addresses, except `count` (rows, at least 1) and `strideBytes`. */
type ScanRows = (list: number, count: number, query: number, out: number, strideBytes: number) => void;

export interface ScanKernel {
  /** out[i] = dot(row i, query), f32; `list` holds the int32 address of each row. */
  dotRows: ScanRows;
  /** out[i] = squared euclidean distance of row i and query, f32. */
  distanceRows: ScanRows;
}

const [list, count, query, out, strideBytes, row, rowEnd, q, first] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const difference = 12;
const lanes = [0, 1, 2, 3];

/** Adds one group of four floats to its accumulator. Every row is summed in the same order, wherever it lies. */
const step =
  (term: (offset: number) => Code) =>
  (lane: number): Code =>
    code(op.get(first + lane), term(16 * lane), op.add, op.set(first + lane));

const dotTerm = (offset: number): Code =>
  code(op.get(row), op.load(offset), op.get(q), op.load(offset), op.mul);
const distanceTerm = (offset: number): Code =>
  code(
    op.get(row),
    op.load(offset),
    op.get(q),
    op.load(offset),
    op.sub,
    op.tee(difference),
    op.get(difference),
    op.mul,
  );

const scanFunction = (name: string, term: (offset: number) => Code): KernelFunction => ({
  name,
  params: ['i32', 'i32', 'i32', 'i32', 'i32'],
  locals: ['i32', 'i32', 'i32', 'v128', 'v128', 'v128', 'v128', 'v128'],
  body: op.loop(
    op.get(list),
    op.i32Load(),
    op.tee(row),
    op.get(strideBytes),
    op.i32Add,
    op.set(rowEnd),
    op.get(query),
    op.set(q),
    ...lanes.map((lane) => code(op.constant(0), op.set(first + lane))),
    op.loop(
      ...lanes.map(step(term)),
      op.get(q),
      op.i32(64),
      op.i32Add,
      op.set(q),
      op.get(row),
      op.i32(64),
      op.i32Add,
      op.tee(row),
      op.get(rowEnd),
      op.i32LessUnsigned,
      op.again,
    ),
    op.get(first),
    op.get(first + 1),
    op.add,
    op.get(first + 2),
    op.get(first + 3),
    op.add,
    op.add,
    op.set(first),
    op.get(out),
    ...lanes.map((lane) => code(op.get(first), op.lane(lane))),
    op.f32Add,
    op.f32Add,
    op.f32Add,
    op.f32Store(),
    op.get(list),
    op.i32(4),
    op.i32Add,
    op.set(list),
    op.get(out),
    op.i32(4),
    op.i32Add,
    op.set(out),
    op.get(count),
    op.i32(1),
    op.i32Sub,
    op.tee(count),
    op.again,
  ),
});

let compiled: WasmModule | undefined;

/** Binds the scan to one arena. Any number of threads may bind the same shared memory. */
export function bindScanKernel(memory: WasmMemory): ScanKernel {
  compiled ??= new wasm.Module(
    assemble(
      [scanFunction('dotRows', dotTerm), scanFunction('distanceRows', distanceTerm)],
      true,
      arenaPagesMax,
    ),
  );
  const instance = new wasm.Instance(compiled, { env: { memory } });
  return instance.exports as unknown as ScanKernel;
}
