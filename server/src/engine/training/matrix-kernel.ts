import { type WasmMemory, wasm } from '#engine/vector/wasm.ts';
import { assemble, type Code, code, type KernelFunction, op } from '#engine/vector/wasm-assembler.ts';

/** Classes are kept in panels of eight: two SIMD registers. A panel is [rows, 8], rows one after another. */
export const panelWidth = 8;
/** Bytes of one row of a panel. */
const panelRowBytes = panelWidth * 4;
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
  /** x[r, i] = (x[r, i] - mean[i]) * scale, for 4 * quads columns; rows follow each other after `rowBytes`. */
  standardise(rows: number, quads: number, x: number, rowBytes: number, mean: number, scale: number): void;
  /**
   * The slopes of a softmax's cross-entropy but for the wanted class: x[p, r, 0..7] becomes its share of the row times
   * weight[r]. `notes` are four floats a row: the weight goes in; the highest value and the sum of exp(x - highest) come
   * out behind it.
   */
  softmax(rows: number, panels: number, x: number, panelBytes: number, notes: number): void;
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
      loadHalves(bAt, halves, k * panelRowBytes),
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
        advance(bAt, op.i32(4 * panelRowBytes)),
        countDown(left),
      ),
      sum.store(out),
      advance(out, op.i32(4 * panelRowBytes)),
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
        advance(bAt, op.i32(panelRowBytes)),
        countDown(left),
      ),
      sum.store(out),
      advance(a, op.i32(16)),
      advance(out, op.i32(4 * panelRowBytes)),
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

function standardise(): KernelFunction {
  const [rows, quads, x, rowBytes, mean, scale, left, at, meanAt] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  return {
    name: 'standardise',
    params: [...Array<'i32'>(5).fill('i32'), 'f32'],
    locals: Array<'i32'>(3).fill('i32'),
    body: op.loop(
      ...[op.get(quads), op.set(left), op.get(x), op.set(at), op.get(mean), op.set(meanAt)],
      op.loop(
        ...[op.get(at), op.get(at), op.load(), op.get(meanAt), op.load(), op.sub],
        ...[op.get(scale), op.splat, op.mul, op.store()],
        ...[at, meanAt].map((pointer) => advance(pointer, op.i32(16))),
        countDown(left),
      ),
      advance(x, op.get(rowBytes)),
      countDown(rows),
    ),
  };
}

/**
 * exp of four floats of at most 0, to the last bit or two; below -87 as of -87, which is next to nothing. 2^n for the
 * nearest n, times a polynomial for the rest (Cephes' expf).
 */
function exponential(value: number, whole: number, result: number): Code {
  const terms = [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5];
  const lessWhole = (part: number): Code =>
    code(op.get(value), op.get(whole), op.constant(part), op.mul, op.sub, op.set(value));
  return code(
    ...[op.get(value), op.constant(-87), op.max, op.tee(value)],
    ...[op.constant(Math.LOG2E), op.mul, op.nearest, op.set(whole)],
    ...[lessWhole(0.693359375), lessWhole(-2.1219444e-4)],
    op.constant(1.98756915e-4),
    ...terms.map((term) => code(op.get(value), op.mul, op.constant(term), op.add)),
    ...[op.get(value), op.mul, op.get(value), op.mul, op.get(value), op.add, op.constant(1), op.add],
    ...[op.get(whole), op.toInt, op.intConstant(127), op.intAdd, op.i32(23), op.intShiftLeft],
    ...[op.mul, op.set(result)],
  );
}

function softmax(): KernelFunction {
  const [rows, panels, x, panelBytes, notes, left, at] = [0, 1, 2, 3, 4, 5, 6];
  const [gathered, value, whole, result] = [7, 8, 9, 10];
  const halves = [0, 16];
  const acrossPanels = (...body: Code[]): Code =>
    code(
      ...[op.get(panels), op.set(left), op.get(x), op.set(at)],
      op.loop(...body, advance(at, op.get(panelBytes)), countDown(left)),
    );
  const across = (lanes: Code): Code =>
    code(op.get(gathered), op.lane(0), ...[1, 2, 3].map((n) => code(op.get(gathered), op.lane(n), lanes)));
  return {
    name: 'softmax',
    params: Array<'i32'>(5).fill('i32'),
    locals: ['i32', 'i32', 'v128', 'v128', 'v128', 'v128'],
    body: op.loop(
      ...[op.get(x), op.load(), op.set(gathered)],
      acrossPanels(
        ...halves.map((half) => code(op.get(gathered), op.get(at), op.load(half), op.max, op.set(gathered))),
      ),
      ...[op.get(notes), across(op.f32Max), op.f32Store(4), op.constant(0), op.set(gathered)],
      acrossPanels(
        ...halves.map((half) =>
          code(
            ...[op.get(at), op.load(half), op.get(notes), op.loadSplat(4), op.sub, op.set(value)],
            exponential(value, whole, result),
            ...[op.get(at), op.get(result), op.store(half)],
            ...[op.get(gathered), op.get(result), op.add, op.set(gathered)],
          ),
        ),
      ),
      ...[op.get(notes), across(op.f32Add), op.f32Store(8)],
      ...[op.get(notes), op.f32Load(), op.get(notes), op.f32Load(8), op.f32Div, op.splat, op.set(value)],
      acrossPanels(
        ...halves.map((half) =>
          code(op.get(at), op.get(at), op.load(half), op.get(value), op.mul, op.store(half)),
        ),
      ),
      ...[advance(x, op.i32(panelRowBytes)), advance(notes, op.i32(16)), countDown(rows)],
    ),
  };
}

const pagesMax = 32_768;

const kernels = [product(), productTransposed(), adam(), standardise(), softmax()];

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
    const module = new wasm.Module(assemble(kernels, false, pagesMax));
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
