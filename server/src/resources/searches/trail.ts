import type { VectorCollection } from '#domain/vector-store.ts';
import type { CalibrationRow } from './calibration-store.ts';
import type { Direction } from './direction.ts';
import { searchFault } from './faults.ts';
import type { Plan } from './plan.ts';

/** What a search spends its time on. */
export type Stage =
  /** Names to ids, words to stems, and what the app has. */
  | 'names'
  /** What the ranks are about, as one vector. */
  | 'direction'
  /** Vectors written since the last search. */
  | 'index'
  /** What is known of the filters before. */
  | 'estimate'
  /** The database finds the matches, and scores them by what is said. */
  | 'matches'
  /** Vectors are compared. */
  | 'vectors'
  /** Whose the vectors are, and whether those match. */
  | 'owners'
  /** Hits as messages. */
  | 'show';

/** What a search did, for those who ask why: filled in on the way. */
export interface Trail {
  /** When a search is given up, by `performance.now()`; jobs take the time they need. */
  readonly until?: number | undefined;
  /** Milliseconds by stage, in the order in which they began. */
  readonly stages: Map<Stage, number>;
  plan?: Plan;
  /** Estimated share of the app's inputs that meet the filters, 0..1. */
  share?: number;
  /** Vectors in the index. */
  size?: number;
  /** Of the nearest, how many were looked at. */
  looked?: number;
  /** Matches, where they were counted. */
  matches?: number;
  /** An approximate index took part. */
  usedGraph?: boolean;
  calibration?: CalibrationRow | undefined;
  direction?: Direction;
  index?: VectorCollection;
}

export const newTrail = (until?: number): Trail => ({ until, stages: new Map() });

/** Does a part of a search and takes its time. @throws Fault 40011 when the time of the search is over before it began */
export async function timed<T>(trail: Trail, stage: Stage, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  if (trail.until !== undefined && began > trail.until) throw searchFault.tooSlow();
  if (!trail.stages.has(stage)) trail.stages.set(stage, 0);
  try {
    return await work();
  } finally {
    trail.stages.set(stage, (trail.stages.get(stage) as number) + performance.now() - began);
  }
}
