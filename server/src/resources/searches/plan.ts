/** How the hits of a similarity search are found. */
export type Way =
  /** Nothing narrows the search: the nearest are the hits. */
  | 'nearest'
  /** The matches are read from the database and scored exactly. */
  | 'filter_first'
  /** So many match that some are probably among the nearest: those are looked at, and the matches read only if not. */
  | 'look_first'
  /** More match than are worth reading: ever more of the nearest are looked at. */
  | 'walk';

/** Matches that are read at once: up to here that costs less than a look at the nearest that finds too few. */
export const fewMax = 8_000;

/** Matches that are read at all. The scan of so many takes about 30 ms on one core (docs/decisions/0005). */
export const candidatesMax = 200_000;

const lookMin = 256;
const lookMax = 2_000;

/** How many of the nearest are looked at to find `wanted` hits; 0 where looking is not worth it. */
export function lookSize(wanted: number): number {
  const size = Math.max(lookMin, wanted * 4);
  return size > lookMax ? 0 : size;
}

/**
 * @param hasFilters  whether anything narrows the search
 * @param matches     what is known of the rows that match: their number counted up to `fewMax + 1`, or, once a look
 *                    has found too few, up to `candidatesMax + 1`
 * @param hasLooked   whether the nearest were looked at already
 */
export function planSearch(hasFilters: boolean, matches: number, hasLooked = false): Way {
  if (!hasFilters) return 'nearest';
  if (matches <= fewMax) return 'filter_first';
  if (!hasLooked) return 'look_first';
  return matches <= candidatesMax ? 'filter_first' : 'walk';
}
