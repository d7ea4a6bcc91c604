import { type WasmMemory, type WasmModule, wasm } from './wasm.ts';
import { assemble, type Code, code, type KernelFunction, op } from './wasm-assembler.ts';

/** One arena of vectors may hold 2 GiB: 32,768 pages of 64 KiB, so that addresses stay positive as int32. */
export const arenaPagesMax = 32_768;

/** Rows are padded with zeros to a multiple of this many floats: four vectors of four are read at a time. */
export const strideStep = 16;

/**
 * Rows scored side by side. One row at a time leaves the memory waiting when rows lie apart: four at once
 * halve the time of a scan of scattered rows.
 */
export const rowsAtOnce = 4;

/**
 * Arguments are byte addresses, except `groups` (of four rows, at least 1) and `strideBytes`. The list is
 * filled up to a whole group with any row's address; the scores of the filling mean nothing.
 */
type ScanRows = (list: number, groups: number, query: number, out: number, strideBytes: number) => void;

export interface ScanKernel {
  /** out[i] = dot(row i, query), f32; `list` holds the int32 address of each row. */
  dotRows: ScanRows;
  /** out[i] = squared euclidean distance of row i and query, f32. */
  distanceRows: ScanRows;
  /**
   * out[i] = dot(code i, query), summed as whole numbers: `list` holds the address of each code of 8 bits a number,
   * and the query is of 16 (`queryMost`). `strideBytes` is of a code.
   */
  dotCodes: ScanRows;
}

/** Codes lie in -127..127. */
export const codeMost = 127;
/** A query's numbers lie between this and its negative: an eighth of the products of the longest row fits in 32 bits. */
export const queryMost = 8_191;

const [list, groups, query, out, strideBytes, queryEnd, q] = [0, 1, 2, 3, 4, 5, 6];
const rowAt = (row: number): number => 7 + row;
const sumAt = (row: number, half: number): number => 11 + row * 2 + half;
const [part, difference] = [19, 20];
const rows = [0, 1, 2, 3];

const dotTerm = (row: number, offset: number): Code =>
  code(op.get(rowAt(row)), op.load(offset), op.get(part), op.mul);
const distanceTerm = (row: number, offset: number): Code =>
  code(
    ...[op.get(rowAt(row)), op.load(offset), op.get(part), op.sub],
    ...[op.tee(difference), op.get(difference), op.mul],
  );

type Term = (row: number, offset: number) => Code;

/** Four floats of the query against the same four of each row; every row is summed in the same order. */
const step = (term: Term, lane: number): Code =>
  code(
    ...[op.get(q), op.load(16 * lane), op.set(part)],
    ...rows.map((row) => {
      const sum = sumAt(row, lane & 1);
      return code(op.get(sum), term(row, 16 * lane), op.add, op.set(sum));
    }),
  );

const storeSum = (row: number): Code =>
  code(
    ...[op.get(sumAt(row, 0)), op.get(sumAt(row, 1)), op.add, op.set(part)],
    op.get(out),
    ...[0, 1, 2, 3].map((lane) => code(op.get(part), op.lane(lane))),
    ...[op.f32Add, op.f32Add, op.f32Add, op.f32Store(row * 4)],
  );

const advance = (local: number, bytes: number): Code =>
  code(op.get(local), op.i32(bytes), op.i32Add, op.set(local));

/** Again, so many bytes further, until `queryEnd`. */
const onward = (bytes: number): Code =>
  code(op.get(q), op.i32(bytes), op.i32Add, op.tee(q), op.get(queryEnd), op.i32LessUnsigned, op.again);

interface Scan {
  readonly name: string;
  /** Done for four rows before they are summed. */
  readonly before?: readonly Code[];
  /** Add to the sums of all rows what one turn takes of the query and of each row, in bytes. */
  readonly steps: readonly Code[];
  readonly ofQuery: number;
  readonly ofRow: number;
  readonly store: (row: number) => Code;
}

const scanFunction = ({ name, before = [], steps, ofQuery, ofRow, store }: Scan): KernelFunction => ({
  name,
  params: ['i32', 'i32', 'i32', 'i32', 'i32'],
  locals: [...Array<'i32'>(6).fill('i32'), ...Array<'v128'>(10).fill('v128')],
  body: op.loop(
    ...rows.map((row) => code(op.get(list), op.i32Load(row * 4), op.set(rowAt(row)))),
    ...rows.flatMap((row) => [0, 1].map((half) => code(op.constant(0), op.set(sumAt(row, half))))),
    ...before,
    ...[op.get(query), op.tee(q)],
    ...Array.from({ length: ofQuery / ofRow }, () => code(op.get(strideBytes), op.i32Add)),
    op.set(queryEnd),
    op.loop(...steps, ...rows.map((row) => advance(rowAt(row), ofRow)), onward(ofQuery)),
    ...rows.map(store),
    advance(list, 4 * rowsAtOnce),
    advance(out, 4 * rowsAtOnce),
    ...[op.get(groups), op.i32(1), op.i32Sub, op.tee(groups), op.again],
  ),
});

const floatScan = (name: string, term: Term): Scan => ({
  name,
  steps: [0, 1, 2, 3].map((lane) => step(term, lane)),
  ofQuery: 64,
  ofRow: 64,
  store: storeSum,
});

/** Eight numbers of the query against the same eight of each code. */
const codeStep = (half: number): Code =>
  code(
    ...[op.get(q), op.load(16 * half), op.set(part)],
    ...rows.map((row) => {
      const sum = sumAt(row, half);
      return code(
        ...[op.get(sum), op.get(rowAt(row)), op.loadWidened(8 * half), op.get(part)],
        ...[op.shortDot, op.intAdd, op.set(sum)],
      );
    }),
  );

/** Each sum becomes floats before the last additions, which whole numbers might not hold. */
const storeCodeSum = (row: number): Code =>
  code(
    ...[0, 1].map((half) => code(op.get(sumAt(row, half)), op.fromInt, op.set(sumAt(row, half)))),
    storeSum(row),
  );

/** Has every line of a code fetched at once: read in the order of the sums, only a few would be on their way. */
const touch = (row: number): Code =>
  code(
    ...[op.get(row), op.get(strideBytes), op.i32Add, op.set(queryEnd)],
    ...[op.get(row), op.set(q)],
    op.loop(...[op.get(q), op.i32Load(), op.drop], onward(64)),
  );

const codeScan: Scan = {
  name: 'dotCodes',
  before: rows.map((row) => touch(rowAt(row))),
  steps: [codeStep(0), codeStep(1)],
  ofQuery: 32,
  ofRow: 16,
  store: storeCodeSum,
};

let compiled: WasmModule | undefined;

/** Binds the scan to one arena. Any number of threads may bind the same shared memory. */
export function bindScanKernel(memory: WasmMemory): ScanKernel {
  compiled ??= new wasm.Module(
    assemble(
      [floatScan('dotRows', dotTerm), floatScan('distanceRows', distanceTerm), codeScan].map(scanFunction),
      true,
      arenaPagesMax,
    ),
  );
  const instance = new wasm.Instance(compiled, { env: { memory } });
  return instance.exports as unknown as ScanKernel;
}
