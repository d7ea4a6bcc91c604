/** What each pixel of a picture is. */
export interface KindMap {
  width: number;
  height: number;
  /** uint8 [height, width]: index of the class, 0 being the background. */
  kinds: Uint8Array;
  /** How sure the network is of each class where it says it, the mean, 0..1. */
  sureness: number[];
  /** Share of the pixels that each class has, 0..1. */
  shares: number[];
}

/**
 * Reads a map from what a network says of each cell; between cells the probabilities are drawn straight.
 *
 * @param out float32 [grid * grid, classes], logits
 */
export function decodeKinds(
  out: Float32Array,
  grid: number,
  classes: number,
  size: { width: number; height: number },
): KindMap {
  const probabilities = softmaxRows(out, classes);
  const { width, height } = size;
  const kinds = new Uint8Array(width * height);
  const sums = new Float64Array(classes);
  const counts = new Float64Array(classes);
  const columns = Array.from({ length: width }, (_, x) => between(x, width, grid));
  const mixed = new Float64Array(classes);
  for (let y = 0; y < height; y += 1) {
    const row = between(y, height, grid);
    for (let x = 0; x < width; x += 1) {
      const column = columns[x] as Between;
      mixed.fill(0);
      for (const [line, down] of [
        [row.low, 1 - row.part],
        [row.high, row.part],
      ] as const) {
        for (const [cell, across] of [
          [column.low, 1 - column.part],
          [column.high, column.part],
        ] as const) {
          const weight = down * across;
          if (weight === 0) continue;
          const at = (line * grid + cell) * classes;
          for (let c = 0; c < classes; c += 1)
            mixed[c] = (mixed[c] as number) + weight * (probabilities[at + c] as number);
        }
      }
      let best = 0;
      for (let c = 1; c < classes; c += 1) if ((mixed[c] as number) > (mixed[best] as number)) best = c;
      kinds[y * width + x] = best;
      sums[best] = (sums[best] as number) + (mixed[best] as number);
      counts[best] = (counts[best] as number) + 1;
    }
  }
  return {
    width,
    height,
    kinds,
    sureness: [...sums].map((sum, c) => ((counts[c] as number) > 0 ? sum / (counts[c] as number) : 0)),
    shares: [...counts].map((count) => count / (width * height)),
  };
}

interface Between {
  low: number;
  high: number;
  /** 0..1: how far from the lower to the higher. */
  part: number;
}

/** The two cells that a pixel's middle lies between. */
function between(pixel: number, pixels: number, cells: number): Between {
  const place = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) * cells) / pixels - 0.5));
  const low = Math.floor(place);
  return { low, high: Math.min(cells - 1, low + 1), part: place - low };
}

function softmaxRows(out: Float32Array, classes: number): Float32Array {
  const made = new Float32Array(out.length);
  for (let at = 0; at < out.length; at += classes) {
    const row = out.subarray(at, at + classes);
    const highest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (let c = 0; c < classes; c += 1) {
      made[at + c] = Math.exp((row[c] as number) - highest);
      sum += made[at + c] as number;
    }
    for (let c = 0; c < classes; c += 1) made[at + c] = (made[at + c] as number) / sum;
  }
  return made;
}

/**
 * Cells whose middle lies inside of a polygon (even-odd rule).
 *
 * @param points row and column in 0..1 of the picture
 */
export function cellsInPolygon(points: readonly { row: number; col: number }[], grid: number): number[] {
  const cells: number[] = [];
  for (let line = 0; line < grid; line += 1) {
    const y = (line + 0.5) / grid;
    const crossings = points
      .flatMap((from, index) => {
        const to = points[(index + 1) % points.length] as { row: number; col: number };
        if (from.row > y === to.row > y) return [];
        return [from.col + ((y - from.row) / (to.row - from.row)) * (to.col - from.col)];
      })
      .sort((a, b) => a - b);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const first = Math.max(0, Math.ceil((crossings[pair] as number) * grid - 0.5));
      const last = Math.min(grid - 1, Math.floor((crossings[pair + 1] as number) * grid - 0.5));
      for (let column = first; column <= last; column += 1) cells.push(line * grid + column);
    }
  }
  return cells;
}
