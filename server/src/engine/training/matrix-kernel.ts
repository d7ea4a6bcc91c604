import { type WasmMemory, wasm } from '#engine/vector/wasm.ts';
import { assemble, type Code, code, type KernelFunction, op } from '#engine/vector/wasm-assembler.ts';

/** Classes are kept in panels of eight: two SIMD registers. A panel is [rows, 8], rows one after another. */
export const panelWidth = 8;
const panelBytes = panelWidth * 4;
/** Rows of a result come four at a time. */
export const rowStep = 4;

/**
 * Matrix products and the Adam step on one memory. All arguments are byte addresses, strides in bytes, or
 * counts; every count is at least 1. float32 throughout, summed in a fixed order.
 */
export interface MatrixKernel {
  /**
   * out[r, 0..7] = sum over k of a[r, k] * b[k, 0..7], for 4 * groups rows.
   * `a` is row-major with `rowBytes` between rows; k runs over 4 * quads values.
   */
  product(groups: number, quads: number, a: number, rowBytes: number, b: number, out: number): void;
  /**
   * out[f, 0..7] = sum over r of a[r, f] * b[r, 0..7], for 4 * groups columns f and `rows` rows:
   * the product with `a` transposed.
   */
  productTransposed(groups: number, rows: number, a: number, rowBytes: number, b: number, out: number): void;
  /**
   * One Adam step (betas 0.9 and 0.999) on 4 * quads weights, with the gradient g + decay * w.
   * `rate` and `epsilon` carry the bias correction of the step.
   */
  adam(
    ...args: [
      quads: number,
      w: number,
      g: number,
      m: number,
      v: number,
      rate: number,
      epsilon: number,
      decay: number,
    ]
  ): void;
}

const advance = (local: number, ...bytes: Code[]): Code =>
  code(op.get(local), ...bytes, op.i32Add, op.set(local));
const countDown = (local: number): Code => code(op.get(local), op.i32(1), op.i32Sub, op.tee(local), op.again);
const four = [0, 1, 2, 3];
const sums = (first: number) => ({
  at: (row: number, half: number) => first + row * 2 + half,
  clear: code(...Array.from({ length: 8 }, (_, i) => code(op.constant(0), op.set(first + i)))),
  store: (out: number) =>
    code(...Array.from({ length: 8 }, (_, i) => code(op.get(out), op.get(first + i), op.store(i * 16)))),
});

/** sums[row] += splat * (left, right), with the splat on the stack. */
const accumulate = (
  sum: (row: number, half: number) => number,
  row: number,
  splat: number,
  halves: number,
): Code =>
  code(
    op.set(splat),
    ...[0, 1].map((half) => {
      const target = sum(row, half);
      return code(op.get(target), op.get(splat), op.get(halves + half), op.mul, op.add, op.set(target));
    }),
  );

const loadHalves = (b: number, halves: number, offset: number): Code =>
  code(...[0, 1].map((half) => code(op.get(b), op.load(offset + half * 16), op.set(halves + half))));

function product(): KernelFunction {
  const [groups, quads, a, rowBytes, b, out, left, bAt] = [0, 1, 2, 3, 4, 5, 6, 7];
  const rowAt = (row: number) => 8 + row;
  const sum = sums(12);
  const [splat, halves] = [20, 21];
  const step = (k: number): Code =>
    code(
      loadHalves(bAt, halves, k * panelBytes),
      ...four.map((row) =>
        code(op.get(rowAt(row)), op.loadSplat(k * 4), accumulate(sum.at, row, splat, halves)),
      ),
    );
  return {
    name: 'product',
    params: Array<'i32'>(6).fill('i32'),
    locals: [...Array<'i32'>(6).fill('i32'), ...Array<'v128'>(11).fill('v128')],
    body: op.loop(
      sum.clear,
      ...four.map((row) => code(op.get(a), op.set(rowAt(row)), advance(a, op.get(rowBytes)))),
      ...[op.get(b), op.set(bAt), op.get(quads), op.set(left)],
      op.loop(
        ...four.map(step),
        ...four.map((row) => advance(rowAt(row), op.i32(16))),
        advance(bAt, op.i32(4 * panelBytes)),
        countDown(left),
      ),
      sum.store(out),
      advance(out, op.i32(4 * panelBytes)),
      countDown(groups),
    ),
  };
}

function productTransposed(): KernelFunction {
  const [groups, rows, a, rowBytes, b, out, left, bAt, aAt] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const sum = sums(9);
  const [splat, halves] = [17, 18];
  return {
    name: 'productTransposed',
    params: Array<'i32'>(6).fill('i32'),
    locals: [...Array<'i32'>(3).fill('i32'), ...Array<'v128'>(11).fill('v128')],
    body: op.loop(
      sum.clear,
      ...[op.get(a), op.set(aAt), op.get(b), op.set(bAt), op.get(rows), op.set(left)],
      op.loop(
        loadHalves(bAt, halves, 0),
        ...four.map((f) => code(op.get(aAt), op.loadSplat(f * 4), accumulate(sum.at, f, splat, halves))),
        advance(aAt, op.get(rowBytes)),
        advance(bAt, op.i32(panelBytes)),
        countDown(left),
      ),
      sum.store(out),
      advance(a, op.i32(16)),
      advance(out, op.i32(4 * panelBytes)),
      countDown(groups),
    ),
  };
}

function adam(): KernelFunction {
  const [quads, w, g, m, v, rate, epsilon, decay, gradient, first, second] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ];
  const scaled = (local: number, factor: number): Code => code(op.get(local), op.constant(factor), op.mul);
  return {
    name: 'adam',
    params: [...Array<'i32'>(5).fill('i32'), 'f32', 'f32', 'f32'],
    locals: ['v128', 'v128', 'v128'],
    body: op.loop(
      ...[
        op.get(g),
        op.load(),
        op.get(w),
        op.load(),
        op.get(decay),
        op.splat,
        op.mul,
        op.add,
        op.set(gradient),
      ],
      ...[op.get(m), op.load(), op.constant(0.9), op.mul, scaled(gradient, 0.1), op.add, op.set(first)],
      ...[
        op.get(v),
        op.load(),
        op.constant(0.999),
        op.mul,
        scaled(gradient, 0.001),
        op.get(gradient),
        op.mul,
      ],
      ...[op.add, op.set(second)],
      ...[op.get(m), op.get(first), op.store(), op.get(v), op.get(second), op.store()],
      ...[op.get(w), op.get(w), op.load(), op.get(first), op.get(rate), op.splat, op.mul],
      ...[op.get(second), op.sqrt, op.get(epsilon), op.splat, op.add, op.div, op.sub, op.store()],
      ...[w, g, m, v].map((pointer) => advance(pointer, op.i32(16))),
      countDown(quads),
    ),
  };
}

const pagesMax = 32_768;

/** Lays out float32 areas one after another and binds the kernel to them. */
export class Workbench {
  readonly kernel: MatrixKernel;
  readonly #memory: WasmMemory;
  #end = 64;

  /** @param floats how many floats will be taken in all */
  constructor(floats: number) {
    const pages = Math.ceil((floats * 4 + 65_536) / 65_536);
    if (pages > pagesMax)
      throw new RangeError('This head is too large to train: dims * classes must be smaller.');
    this.#memory = new wasm.Memory({ initial: pages, maximum: pagesMax, shared: false });
    const module = new wasm.Module(assemble([product(), productTransposed(), adam()], false, pagesMax));
    this.kernel = new wasm.Instance(module, { env: { memory: this.#memory } })
      .exports as unknown as MatrixKernel;
  }

  take(floats: number): Float32Array {
    const area = new Float32Array(this.#memory.buffer, this.#end, floats);
    this.#end += Math.ceil((floats * 4) / 64) * 64;
    return area;
  }
}

/** Floats of `rows` rows in panels, for so many classes. */
export const panelsOf = (classes: number): number => Math.ceil(classes / panelWidth);
export const padTo = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;
