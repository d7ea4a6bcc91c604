import type { VectorCollection } from '#domain/vector-store.ts';
import type { Direction } from './direction.ts';
import type { Plan } from './plan.ts';

/** What a search did, for those who ask why: filled in on the way. */
export interface Trail {
  plan?: Plan;
  /** Estimated share of the app's inputs that meet the filters, 0..1. */
  share?: number;
  /** Vectors in the index. */
  size?: number;
  /** Matches, where they were counted. */
  matches?: number;
  /** An approximate index took part. */
  usedGraph?: boolean;
  /** More matched than are scored by two signals: the nearest of them were. */
  isPartial?: boolean;
  direction?: Direction;
  index?: VectorCollection;
}
