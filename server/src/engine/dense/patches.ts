import { padTo, panelWidth, Workbench } from '../training/matrix-kernel.ts';

/** What usual patches look like: a projection of the features, and the bank of projected patches. */
export interface PatchBank {
  /** float32 [dims] each. */
  mean: Float32Array;
  scale: Float32Array;
  /** float32 [dims, width]. */
  projection: Float32Array;
  /** float32 [patches, width]. */
  bank: Float32Array;
  width: number;
}

/** Rows of float32 [rows, dims] standardised and projected. @returns float32 [rows, width] */
export function projectPatches(
  rows: Float32Array,
  { mean, scale, projection, width }: Omit<PatchBank, 'bank'>,
): Float32Array {
  const dims = mean.length;
  const count = rows.length / dims;
  const made = new Float32Array(count * width);
  for (let row = 0; row < count; row += 1) {
    const to = made.subarray(row * width, (row + 1) * width);
    for (let d = 0; d < dims; d += 1) {
      const value = ((rows[row * dims + d] as number) - (mean[d] as number)) * (scale[d] as number);
      const from = d * width;
      for (let k = 0; k < width; k += 1) to[k] = (to[k] as number) + value * (projection[from + k] as number);
    }
  }
  return made;
}

/** Distance of each projected patch to the nearest one of a bank. One object serves one bank. */
export class NearestPatch {
  readonly #bench: Workbench;
  readonly #columns: Float32Array;
  readonly #x: Float32Array;
  readonly #out: Float32Array;
  readonly #squares: Float32Array;
  readonly #width: number;
  readonly #panels: number;
  readonly #count: number;
  static readonly #rows = 64;

  /** @param width a multiple of four */
  constructor(bank: Float32Array, width: number) {
    this.#width = width;
    this.#count = bank.length / width;
    this.#panels = Math.ceil(this.#count / panelWidth);
    const rows = NearestPatch.#rows;
    this.#bench = new Workbench(
      this.#panels * width * panelWidth + rows * (padTo(width, 4) + panelWidth) + 1024,
    );
    this.#columns = this.#bench.take(this.#panels * width * panelWidth);
    this.#x = this.#bench.take(rows * width);
    this.#out = this.#bench.take(rows * panelWidth);
    this.#squares = new Float32Array(this.#count);
    for (let patch = 0; patch < this.#count; patch += 1) {
      for (let k = 0; k < width; k += 1) {
        const value = bank[patch * width + k] as number;
        this.#columns[((patch >> 3) * width + k) * panelWidth + (patch & 7)] = value;
        this.#squares[patch] = (this.#squares[patch] as number) + value * value;
      }
    }
  }

  distances(patches: Float32Array): Float32Array {
    const width = this.#width;
    const count = patches.length / width;
    const made = new Float32Array(count).fill(Number.POSITIVE_INFINITY);
    for (let from = 0; from < count; from += NearestPatch.#rows) {
      const rows = Math.min(NearestPatch.#rows, count - from);
      this.#x.fill(0);
      this.#x.set(patches.subarray(from * width, (from + rows) * width));
      for (let panel = 0; panel < this.#panels; panel += 1) {
        this.#bench.kernel.product(
          NearestPatch.#rows / 4,
          width / 4,
          this.#x.byteOffset,
          width * 4,
          this.#columns.byteOffset + panel * width * panelWidth * 4,
          this.#out.byteOffset,
        );
        const inPanel = Math.min(panelWidth, this.#count - panel * panelWidth);
        for (let row = 0; row < rows; row += 1) {
          for (let c = 0; c < inPanel; c += 1) {
            const reduced =
              (this.#squares[panel * panelWidth + c] as number) -
              2 * (this.#out[row * panelWidth + c] as number);
            if (reduced < (made[from + row] as number)) made[from + row] = reduced;
          }
        }
      }
    }
    for (let row = 0; row < count; row += 1) {
      let own = 0;
      for (let k = 0; k < width; k += 1) own += (patches[row * width + k] as number) ** 2;
      made[row] = Math.sqrt(Math.max(0, (made[row] as number) + own));
    }
    return made;
  }
}

/** Scores of a grid, each the mean of its neighbourhood: one odd cell is noise, several are a fault. */
export function smoothed(scores: Float32Array, grid: number): Float32Array {
  return scores.map((_, cell) => {
    const [row, column] = [Math.floor(cell / grid), cell % grid];
    let sum = 0;
    let count = 0;
    for (let y = Math.max(0, row - 1); y <= Math.min(grid - 1, row + 1); y += 1) {
      for (let x = Math.max(0, column - 1); x <= Math.min(grid - 1, column + 1); x += 1) {
        sum += scores[y * grid + x] as number;
        count += 1;
      }
    }
    return sum / count;
  });
}
