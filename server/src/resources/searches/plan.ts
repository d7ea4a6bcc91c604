/** How the hits of a search are found. */
export type Way =
  /** Nothing ranks: inputs are walked in the order of their making until enough of them match. */
  | 'in_order'
  /** Nothing ranks, and few match: all matches are read and put in order. */
  | 'read_then_order'
  /** The database scores what is said of the matches: labels and words. */
  | 'score_in_database'
  /** Nothing narrows the search: the nearest of the index are the hits. */
  | 'nearest'
  /** The matches are read from the database and their vectors scored exactly. */
  | 'filter_then_score'
  /** The nearest are looked at, ever more of them, and those that do not match left out. */
  | 'walk_and_filter'
  /** Every vector is scored; those that do not match are left out. */
  | 'scan'
  /** No vectors are there to be found. */
  | 'nothing';

export interface Plan {
  readonly way: Way;
  /** How many of the nearest are looked at first; 0 where none are. */
  readonly look: number;
}

export interface Facts {
  readonly isFiltered: boolean;
  /** Signals that rank: `vectors` of similarity, `said` for labels and words. */
  readonly ranks: 'none' | 'said' | 'vectors' | 'both';
  /** Asked by `algorithm`: no approximate index. */
  readonly exact: boolean;
  /** Vectors in the index; inputs of the app where nothing ranks. */
  readonly size: number;
  /** Of those so many are expected to match, or were counted. */
  readonly matches: number;
  /**
   * What `matches` is: a guess, which may be far off; `counted`, exactly or nearly, or so many at least; or `keys`, which
   * are at hand, so that none need be read.
   */
  readonly known: 'guessed' | 'counted' | 'keys';
  readonly wanted: number;
}

/**
 * Matches that are read at once, and so scored exactly: up to here that costs less than a look at the nearest that finds
 * too few.
 */
export const fewMax = 5_000;

/** Of keys at hand so many are scored sooner than the nearest are looked at (engine/vector/plan.ts). */
const scoredMax = 8_000;

/** Matches that are read at all. The scan of so many takes about 30 ms on one core (docs/decisions/0005). */
export const candidatesMax = 200_000;

/** Matches that are put in order at most, as far as can be foreseen. */
const orderedMax = 20_000;

/** Rows that are read for them: the guess may be off, and a match may have several rows, such as the labels of its boxes. */
export const readMax = 4 * orderedMax;

/**
 * A walk is expected to look at size * wanted / matches inputs, and may have to look at nearly all: matches are no more
 * often at the beginning than elsewhere, and where the first of them were deleted, less often. So reading may cost this
 * many times what the walk is expected to.
 */
const walkRisk = 4;

/**
 * Of the nearest all are hits, but for those that belong to one that was nearer. Walks that ask for so many missed
 * one of 640 that were among the ten nearest; those that ask for 18 missed five (64 searches of 55,000 vectors).
 */
const nearestMin = 32;
const lookMin = 256;
/** Of keys at hand it costs nothing to find that a look was too short. */
const lookMinAtHand = 64;
const lookMax = 2_000;

/**
 * How a search is best answered. Estimates may be wrong: whoever follows the plan counts as it goes, and plans
 * again with what it counted.
 */
export function planSearch({ isFiltered, ranks, exact, size, matches, known, wanted }: Facts): Plan {
  if (ranks === 'none') {
    const isFewer = isFiltered && matches <= orderedMax && matches ** 2 <= walkRisk * size * wanted;
    return { way: isFewer ? 'read_then_order' : 'in_order', look: 0 };
  }
  if (ranks === 'said') return { way: 'score_in_database', look: 0 };
  if (size === 0) return { way: 'nothing', look: 0 };
  // Two signals: a hit far down in one may lead by the other, so all matches are scored by both.
  if (ranks === 'both')
    return matches <= candidatesMax ? { way: 'filter_then_score', look: 0 } : { way: 'scan', look: 0 };
  if (!isFiltered)
    return exact
      ? { way: 'scan', look: 0 }
      : { way: 'nearest', look: Math.max(nearestMin, Math.ceil(1.5 * wanted)) };
  if (matches <= (known === 'keys' ? scoredMax : fewMax)) return { way: 'filter_then_score', look: 0 };
  // Reading notices a wrong guess after a few thousand matches; a look at the nearest does not.
  if (known === 'guessed') return { way: 'filter_then_score', look: 0 };
  if (exact)
    return matches <= candidatesMax ? { way: 'filter_then_score', look: 0 } : { way: 'scan', look: 0 };
  const look = lookOf(wanted, Math.min(1, matches / size), known === 'keys' ? lookMinAtHand : lookMin);
  if (look <= lookMax || matches > candidatesMax)
    return { way: 'walk_and_filter', look: Math.min(look, lookMax) };
  return { way: 'filter_then_score', look: 0 };
}

/** Twice as many as should hold `wanted` hits, were hits and nearness independent. */
const lookOf = (wanted: number, share: number, least: number) =>
  Math.max(least, Math.ceil((2 * wanted) / share));
