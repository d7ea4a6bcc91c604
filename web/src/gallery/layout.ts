/**
 * Where the pictures of a justified grid lie: rows of one width, each as high as its pictures allow. Pictures come
 * in pages, in any order; a page whose pictures are not known yet is as high as it would be with usual ones.
 */

export interface RowPlace {
  /** Of the first picture of the row, in its page. */
  readonly from: number;
  /** Past the last. */
  readonly to: number;
  /** From the top of the page, in pixels. */
  readonly top: number;
  readonly height: number;
}

export interface RowRules {
  readonly width: number;
  readonly rowHeight: number;
  readonly gap: number;
}

/** Narrow and wide pictures are shown cut rather than as slivers. */
const aspectLimits = { min: 0.45, max: 3 };
export const clampAspect = (aspect: number): number =>
  Math.min(aspectLimits.max, Math.max(aspectLimits.min, aspect));

/**
 * Breaks the pictures of one page into rows that all fill the width, each near the wanted height: the way to
 * break them that is best in the sum of squared differences, found over all ways. A page ends with a full row, so
 * that pages join without gaps; only the last page of all (`isLast`) may end with a row that does not fill.
 *
 * Source: the line-breaking of Knuth and Plass 1981, with squared differences in height for its badness.
 */
export function layRows(aspects: readonly number[], rules: RowRules, isLast: boolean): RowPlace[] {
  const { width, rowHeight, gap } = rules;
  const count = aspects.length;
  if (count === 0) return [];
  const sums = [0];
  for (const aspect of aspects) sums.push((sums.at(-1) as number) + clampAspect(aspect));
  const heightOf = (from: number, to: number): number =>
    Math.max(1, (width - gap * (to - from - 1)) / ((sums[to] as number) - (sums[from] as number)));
  const costs = new Float64Array(count + 1).fill(Number.POSITIVE_INFINITY);
  const breaks = new Int32Array(count + 1);
  costs[0] = 0;
  for (let to = 1; to <= count; to++) {
    for (let from = to - 1; from >= 0; from--) {
      const height = heightOf(from, to);
      // Rows only get lower from here on.
      if (height < rowHeight * 0.5 && to - from > 1) break;
      const isOpenEnd = isLast && to === count && height > rowHeight;
      const difference = isOpenEnd ? 0 : (height - rowHeight) / rowHeight;
      const cost = (costs[from] as number) + difference * difference;
      if (cost < (costs[to] as number)) {
        costs[to] = cost;
        breaks[to] = from;
      }
    }
  }
  const ends: number[] = [];
  for (let to = count; to > 0; to = breaks[to] as number) ends.unshift(to);
  const rows: RowPlace[] = [];
  let top = 0;
  let from = 0;
  for (const to of ends) {
    const natural = heightOf(from, to);
    const height = isLast && to === count ? Math.min(natural, rowHeight) : Math.min(natural, rowHeight * 2);
    rows.push({ from, to, top, height });
    top += height + gap;
    from = to;
  }
  return rows;
}

/** Height of rows laid out, with the gap after the last. */
export const heightOfRows = (rows: readonly RowPlace[], gap: number): number => {
  const last = rows.at(-1);
  return last ? last.top + last.height + gap : 0;
};

/** Height of a page of `count` pictures that nobody has seen yet. */
export function guessedHeight(count: number, { width, rowHeight, gap }: RowRules): number {
  const usualAspect = 4 / 3;
  const perRow = Math.max(1, Math.round((width + gap) / (rowHeight * usualAspect + gap)));
  return Math.ceil(count / perRow) * (rowHeight + gap);
}

/**
 * Heights of all pages, summed: which page lies at a place, and where a page begins. A million pictures are some
 * eight thousand pages, so plain sums, made again from the changed page on, are quick enough.
 */
export class PageHeights {
  readonly #heights: Float64Array;
  readonly #tops: Float64Array;
  #goodUpTo = 0;

  constructor(count: number, heightOf: (page: number) => number) {
    this.#heights = Float64Array.from({ length: count }, (_, page) => heightOf(page));
    this.#tops = new Float64Array(count + 1);
  }

  get count(): number {
    return this.#heights.length;
  }

  heightOf(page: number): number {
    return this.#heights[page] ?? 0;
  }

  /** @returns by how much the pages after it move down */
  set(page: number, height: number): number {
    const moved = height - this.heightOf(page);
    this.#heights[page] = height;
    if (moved !== 0) this.#goodUpTo = Math.min(this.#goodUpTo, page);
    return moved;
  }

  topOf(page: number): number {
    for (; this.#goodUpTo < page; this.#goodUpTo++)
      this.#tops[this.#goodUpTo + 1] =
        (this.#tops[this.#goodUpTo] as number) + (this.#heights[this.#goodUpTo] as number);
    return this.#tops[page] as number;
  }

  get total(): number {
    return this.topOf(this.count);
  }

  /** The page at a distance from the top. */
  pageAt(distance: number): number {
    let low = 0;
    let high = this.count - 1;
    this.topOf(this.count);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#tops[middle] as number) <= distance) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
