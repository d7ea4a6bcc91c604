/**
 * A mask as the lengths of its runs, off and on in turn, beginning with off; pixels column by column as COCO
 * counts them. The lengths add up to the pixels of the picture.
 */
export type Runs = Uint32Array;

/** @param pixels one byte per pixel, row by row; anything but 0 is on */
export function runsOf(pixels: ArrayLike<number>, width: number, height: number): Runs {
  if (pixels.length !== width * height)
    throw new RangeError(`${width} x ${height} pixels need as many bytes; ${pixels.length} came.`);
  const runs: number[] = [];
  let isOn = false;
  let length = 0;
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) {
      if ((pixels[y * width + x] !== 0) !== isOn) {
        runs.push(length);
        length = 0;
        isOn = !isOn;
      }
      length += 1;
    }
  }
  runs.push(length);
  return Uint32Array.from(runs);
}

export function areaOf(runs: Runs): number {
  let area = 0;
  for (let i = 1; i < runs.length; i += 2) area += runs[i] as number;
  return area;
}

/** Pixels that are on in both. @throws RangeError for masks of pictures of different sizes */
export function sharedArea(a: Runs, b: Runs): number {
  let [i, j, shared] = [0, 0, 0];
  let leftA = a[0] ?? 0;
  let leftB = b[0] ?? 0;
  while (i < a.length && j < b.length) {
    const step = Math.min(leftA, leftB);
    if ((i & 1) === 1 && (j & 1) === 1) shared += step;
    leftA -= step;
    leftB -= step;
    if (leftA === 0) leftA = a[++i] ?? 0;
    if (leftB === 0) leftB = b[++j] ?? 0;
    // Runs of no length end at once; both lists end together.
    while (i < a.length && leftA === 0) leftA = a[++i] ?? 0;
    while (j < b.length && leftB === 0) leftB = b[++j] ?? 0;
  }
  if (i < a.length || j < b.length) throw new RangeError('Masks are compared within one picture.');
  return shared;
}

/** Share of the pixels of either that are on in both; for a crowd, of the found mask alone, as COCO counts. */
export function maskOverlap(found: Runs, truth: Runs, isCrowd = false): number {
  const shared = sharedArea(found, truth);
  if (shared === 0) return 0;
  const whole = isCrowd ? areaOf(found) : areaOf(found) + areaOf(truth) - shared;
  return shared / whole;
}

/**
 * Fills a polygon, the pixels whose middle lies inside; even-odd where it crosses itself.
 *
 * @param points x and y in pixels, one after the other
 */
export function runsOfPolygon(points: ArrayLike<number>, width: number, height: number): Runs {
  const pixels = new Uint8Array(width * height);
  const corners = points.length / 2;
  for (let y = 0; y < height; y += 1) {
    const crossings: number[] = [];
    for (let i = 0; i < corners; i += 1) {
      const next = (i + 1) % corners;
      const [x0, y0, x1, y1] = [points[2 * i], points[2 * i + 1], points[2 * next], points[2 * next + 1]] as [
        number,
        number,
        number,
        number,
      ];
      const middle = y + 0.5;
      if (y0 <= middle === y1 <= middle) continue;
      crossings.push(x0 + ((middle - y0) / (y1 - y0)) * (x1 - x0));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(0, Math.ceil((crossings[i] as number) - 0.5));
      const to = Math.min(width, Math.ceil((crossings[i + 1] as number) - 0.5));
      pixels.fill(1, y * width + from, Math.max(y * width + from, y * width + to));
    }
  }
  return runsOf(pixels, width, height);
}
