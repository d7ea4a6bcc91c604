import type { Mask, Ring } from '../record.ts';

/**
 * Run-length masks as the COCO tools define them: down the columns, zeros first.
 *
 * @see https://github.com/cocodataset/cocoapi the definition of the format and of its compressed text
 */

/** Whether the runs are whole numbers that fill the picture exactly. */
export function isWhole({ width, height, counts }: Mask): boolean {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 0 || height < 0) return false;
  let sum = 0;
  for (const run of counts) {
    if (!Number.isInteger(run) || run < 0) return false;
    sum += run;
  }
  return sum === width * height;
}

/** The shortest spelling of a mask: no empty runs but a first one, none at the end. */
export function tidy({ width, height, counts }: Mask): Mask {
  const runs: number[] = [0];
  counts.forEach((run, i) => {
    if (run === 0) return;
    const isOne = i % 2 === 1;
    if ((runs.length - 1) % 2 === Number(isOne)) runs[runs.length - 1] = (runs.at(-1) as number) + run;
    else runs.push(run);
  });
  return { width, height, counts: width * height === 0 ? [] : runs };
}

/** Rows of pixels, one byte each, anything but 0 set → mask. */
export function maskFromBitmap(pixels: ArrayLike<number>, width: number, height: number): Mask {
  const counts: number[] = [];
  let isSet = false;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0, at = x; y < height; y++, at += width) {
      if ((pixels[at] !== 0) !== isSet) {
        counts.push(run);
        run = 0;
        isSet = !isSet;
      }
      run++;
    }
  }
  if (width * height > 0) counts.push(run);
  return { width, height, counts };
}

/** Mask → rows of pixels, 0 or 1. */
export function bitmapOfMask({ width, height, counts }: Mask): Uint8Array {
  const pixels = new Uint8Array(width * height);
  let at = 0;
  counts.forEach((run, i) => {
    if (i % 2 === 1) {
      for (let k = at; k < at + run; k++) pixels[(k % height) * width + Math.floor(k / height)] = 1;
    }
    at += run;
  });
  return pixels;
}

export function areaOfMask({ counts }: Mask): number {
  let area = 0;
  for (let i = 1; i < counts.length; i += 2) area += counts[i] as number;
  return area;
}

/** The smallest upright box around all set pixels; undefined for an empty mask. */
export function boundsOfMask({ height, counts }: Mask) {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1, -1];
  let at = 0;
  counts.forEach((run, i) => {
    if (i % 2 === 1 && run > 0) {
      const [first, last] = [at, at + run - 1];
      const [x0, x1] = [Math.floor(first / height), Math.floor(last / height)];
      left = Math.min(left, x0);
      right = Math.max(right, x1);
      // A run over the end of a column reaches the last row of one and the first of the next.
      top = Math.min(top, x0 === x1 ? first % height : 0);
      bottom = Math.max(bottom, x0 === x1 ? last % height : height - 1);
    }
    at += run;
  });
  return right < 0 ? undefined : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The compressed text of a mask: differences to the run two before, in groups of five bits from "0" on. */
export function packCounts(counts: readonly number[]): string {
  let text = '';
  counts.forEach((run, i) => {
    let rest = i > 2 ? run - (counts[i - 2] as number) : run;
    for (let isLast = false; !isLast; ) {
      const low = rest & 31;
      rest >>= 5;
      isLast = low & 16 ? rest === -1 : rest === 0;
      text += String.fromCharCode((isLast ? low : low | 32) + 48);
    }
  });
  return text;
}

/** @returns undefined for text that no packer writes */
export function unpackCounts(text: string): number[] | undefined {
  const counts: number[] = [];
  let at = 0;
  while (at < text.length) {
    let run = 0;
    let shift = 0;
    for (let isLast = false; !isLast; shift += 5) {
      const group = text.charCodeAt(at++) - 48;
      if (!(group >= 0 && group < 64) || shift > 30) return undefined;
      run |= (group & 31) << shift;
      isLast = (group & 32) === 0;
      if (isLast && group & 16 && shift + 5 < 32) run |= -1 << (shift + 5);
    }
    if (counts.length > 2) run += counts.at(-2) as number;
    if (run < 0) return undefined;
    counts.push(run);
  }
  return counts;
}

/** What any of the masks covers; all of one size. */
export function unionOfMasks(masks: readonly Mask[]): Mask {
  const [first, ...others] = masks;
  if (!first) throw new Error('a union of no masks has no size');
  return others.reduce(unionOfTwo, first);
}

function unionOfTwo(a: Mask, b: Mask): Mask {
  const counts: number[] = [];
  const total = a.width * a.height;
  const [left, right] = [walker(a.counts), walker(b.counts)];
  let isSet = false;
  let run = 0;
  for (let done = 0; done < total; ) {
    const step = Math.min(left.left(), right.left());
    const isOn = left.isSet() || right.isSet();
    if (isOn !== isSet) {
      counts.push(run);
      run = 0;
      isSet = isOn;
    }
    run += step;
    done += step;
    left.take(step);
    right.take(step);
  }
  counts.push(run);
  return { width: a.width, height: a.height, counts };
}

function walker(counts: readonly number[]) {
  let at = 0;
  let rest = counts[0] ?? 0;
  const settle = () => {
    while (rest === 0 && at < counts.length) rest = counts[++at] ?? Number.POSITIVE_INFINITY;
  };
  settle();
  return {
    left: () => rest,
    isSet: () => at % 2 === 1,
    take(step: number) {
      rest -= step;
      settle();
    },
  };
}

/**
 * The pixels that a polygon covers, by the rule of the COCO tools: edges are drawn five times finer, and a column
 * changes where an edge passes its middle. Agrees with them run for run.
 */
export function maskOfRing(ring: Ring, width: number, height: number): Mask {
  const crossings = crossingsOf(ring, width, height).sort((a, b) => a - b);
  crossings.push(width * height);
  const steps: number[] = [];
  let last = 0;
  for (const at of crossings) {
    steps.push(at - last);
    last = at;
  }
  // Two crossings at one place take each other away.
  const counts = [steps[0] as number];
  for (let i = 1; i < steps.length; ) {
    if ((steps[i] as number) > 0) counts.push(steps[i++] as number);
    else if (++i < steps.length)
      counts[counts.length - 1] = (counts.at(-1) as number) + (steps[i++] as number);
  }
  return { width, height, counts };
}

const finer = 5;

/** Places, counted down the columns, at which the polygon's inside begins or ends. */
function crossingsOf(ring: Ring, width: number, height: number): number[] {
  const corners = ring.length >> 1;
  const grid = (value: number) => Math.trunc(finer * value + 0.5);
  const [us, vs] = [[] as number[], [] as number[]];
  for (let i = 0; i < corners; i++) {
    const next = (i + 1) % corners;
    drawEdge(
      [grid(ring[2 * i] as number), grid(ring[2 * i + 1] as number)],
      [grid(ring[2 * next] as number), grid(ring[2 * next + 1] as number)],
      us,
      vs,
    );
  }
  const found: number[] = [];
  for (let i = 1; i < us.length; i++) {
    const [u, before] = [us[i] as number, us[i - 1] as number];
    if (u === before) continue;
    const x = ((u < before ? u : u - 1) + 0.5) / finer - 0.5;
    if (Math.floor(x) !== x || x < 0 || x > width - 1) continue;
    const v = Math.min(vs[i] as number, vs[i - 1] as number);
    const y = Math.ceil(Math.min(Math.max((v + 0.5) / finer - 0.5, 0), height));
    found.push(x * height + y);
  }
  return found;
}

/** Every point of the fine grid on an edge, one per step of its longer side. */
function drawEdge([x0, y0]: [number, number], [x1, y1]: [number, number], us: number[], vs: number[]): void {
  const [dx, dy] = [Math.abs(x1 - x0), Math.abs(y1 - y0)];
  const isWide = dx >= dy;
  // Drawn from the lower end of the longer side, so that both directions give the same points.
  const isBackward = isWide ? x0 > x1 : y0 > y1;
  const [fx, fy, tx, ty] = isBackward ? [x1, y1, x0, y0] : [x0, y0, x1, y1];
  const steps = isWide ? dx : dy;
  const slope = steps === 0 ? 0 : isWide ? (ty - fy) / dx : (tx - fx) / dy;
  for (let d = 0; d <= steps; d++) {
    const t = isBackward ? steps - d : d;
    us.push(isWide ? t + fx : Math.trunc(fx + slope * t + 0.5));
    vs.push(isWide ? Math.trunc(fy + slope * t + 0.5) : t + fy);
  }
}

/** What any of the polygons covers. */
export const maskOfPolygons = (rings: readonly Ring[], width: number, height: number): Mask =>
  unionOfMasks(rings.map((ring) => maskOfRing(ring, width, height)));
