import type { MessageInitShape } from '@bufbuild/protobuf';
import type { EvalMetricsSchema } from '@fovea/contract';
import type { Db } from '#store/sql.ts';
import type { EvaluationRow, KnownConcept } from './evaluation.ts';
import type { EvaluationEnd } from './store.ts';

export type ShownMetrics = MessageInitShape<typeof EvalMetricsSchema>;

export interface Figures {
  /** The contract's EvalMetrics, less the test set. */
  readonly shown: ShownMetrics;
  readonly summary: NonNullable<EvaluationEnd['summary']>;
  /** Figures that the contract has no place for. */
  readonly numbers: Record<string, unknown>;
}

export interface FigureParts {
  readonly db: Db;
  readonly evaluation: EvaluationRow;
  /** The judged concepts, in the order of the evaluation's. */
  readonly concepts: readonly KnownConcept[];
  readonly isExclusive: boolean;
  readonly signal: AbortSignal;
}

/** A concept as EvalMetrics names it. */
export const named = ({ id, name, appId }: KnownConcept, value = 1) => ({ id, name, appId, value });
