/**
 * A mask as runs, row by row from the top left: how many pixels are off, then how many are on, and so on. Runs never
 * change once made, so that a history of a hundred strokes costs little.
 */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly runs: Uint32Array;
}

export const emptyMask = (width: number, height: number): Mask => ({
  width,
  height,
  runs: Uint32Array.of(width * height),
});

/** @param bits one byte a pixel, off where 0 */
export function maskFrom(bits: Uint8Array, width: number, height: number): Mask {
  const runs: number[] = [];
  let isOn = false;
  let length = 0;
  for (let i = 0; i < width * height; i++) {
    if ((bits[i] !== 0) === isOn) length++;
    else {
      runs.push(length);
      isOn = !isOn;
      length = 1;
    }
  }
  runs.push(length);
  return { width, height, runs: Uint32Array.from(runs) };
}

/** @returns one byte a pixel: 1 where on */
export function bitsOf({ width, height, runs }: Mask): Uint8Array {
  const bits = new Uint8Array(width * height);
  let at = 0;
  for (const [i, length] of runs.entries()) {
    if (i % 2 === 1) bits.fill(1, at, at + length);
    at += length;
  }
  return bits;
}

export function areaOf({ runs }: Mask): number {
  let area = 0;
  for (let i = 1; i < runs.length; i += 2) area += runs[i] as number;
  return area;
}

/** The smallest box around what is on, in pixels; right and bottom are past the last. Undefined where all is off. */
export function boundsOf({
  width,
  runs,
}: Mask): { left: number; top: number; right: number; bottom: number } | undefined {
  let left = width;
  let right = 0;
  let top = -1;
  let bottom = 0;
  let at = 0;
  for (const [i, length] of runs.entries()) {
    if (i % 2 === 1 && length > 0) {
      const from = Math.floor(at / width);
      const to = Math.floor((at + length - 1) / width);
      if (top < 0) top = from;
      bottom = to + 1;
      if (to > from) {
        left = 0;
        right = width;
      } else {
        left = Math.min(left, at % width);
        right = Math.max(right, ((at + length - 1) % width) + 1);
      }
    }
    at += length;
  }
  return top < 0 ? undefined : { left, top, right, bottom };
}

/** Whether the pixel is on. */
export function isOn({ width, height, runs }: Mask, x: number, y: number): boolean {
  if (x < 0 || y < 0 || x >= width || y >= height) return false;
  const wanted = Math.floor(y) * width + Math.floor(x);
  let at = 0;
  for (const [i, length] of runs.entries()) {
    at += length;
    if (wanted < at) return i % 2 === 1;
  }
  return false;
}

/** Turns on (or off) all pixels whose centre is within the radius of the way from one point to the other. */
export function paint(
  bits: Uint8Array,
  width: number,
  height: number,
  stroke: { from: { x: number; y: number }; to: { x: number; y: number }; radius: number; on: boolean },
): void {
  const { from, to, radius, on } = stroke;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const lengthSquared = dx * dx + dy * dy;
  const firstY = Math.max(0, Math.floor(Math.min(from.y, to.y) - radius));
  const lastY = Math.min(height - 1, Math.ceil(Math.max(from.y, to.y) + radius));
  const firstX = Math.max(0, Math.floor(Math.min(from.x, to.x) - radius));
  const lastX = Math.min(width - 1, Math.ceil(Math.max(from.x, to.x) + radius));
  for (let y = firstY; y <= lastY; y++) {
    for (let x = firstX; x <= lastX; x++) {
      const px = x + 0.5 - from.x;
      const py = y + 0.5 - from.y;
      const along = lengthSquared === 0 ? 0 : Math.max(0, Math.min(1, (px * dx + py * dy) / lengthSquared));
      const ex = px - along * dx;
      const ey = py - along * dy;
      if (ex * ex + ey * ey <= radius * radius) bits[y * width + x] = on ? 1 : 0;
    }
  }
}

/** The connected part of a mask that a pixel belongs to, by its four neighbours; undefined where it is off. */
export function partAt(mask: Mask, x: number, y: number): Mask | undefined {
  const { width, height } = mask;
  const bits = bitsOf(mask);
  const start = Math.floor(y) * width + Math.floor(x);
  if (x < 0 || y < 0 || x >= width || y >= height || bits[start] !== 1) return undefined;
  const found = new Uint8Array(width * height);
  const waiting = [start];
  found[start] = 1;
  const visit = (at: number): void => {
    if (bits[at] !== 1 || found[at] === 1) return;
    found[at] = 1;
    waiting.push(at);
  };
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const column = at % width;
    if (column > 0) visit(at - 1);
    if (column < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < width * (height - 1)) visit(at + width);
  }
  return maskFrom(found, width, height);
}

/** What is on in one of two masks of the same size. */
export function joined(a: Mask, b: Mask): Mask {
  const bits = bitsOf(a);
  for (const [i, bit] of bitsOf(b).entries()) if (bit === 1) bits[i] = 1;
  return maskFrom(bits, a.width, a.height);
}
