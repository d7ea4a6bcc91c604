import { type Db, rows, type Sql, sql } from '#store/sql.ts';
import type { EvaluationRow } from './evaluation.ts';

/** Which inputs are asked for: those behind a cell, those behind a point of a curve, or all. */
export type TraceFilter =
  | { readonly kind: 'all' }
  | { readonly kind: 'cell'; readonly actual: string; readonly predicted: string }
  | {
      readonly kind: 'threshold';
      readonly concept: string;
      readonly threshold: number;
      readonly outcome: Outcome | undefined;
    };

export const outcomes = ['tp', 'fp', 'fn', 'tn'] as const;
export type Outcome = (typeof outcomes)[number];

export interface TracedInput {
  readonly position: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly positive: readonly string[];
  readonly scores: readonly number[] | null;
  readonly matches: readonly Record<string, unknown>[] | null;
  readonly trouble: string;
}

/** Inputs of an evaluation behind one of its figures, from a position on. */
export function tracedInputs(
  db: Db,
  evaluation: EvaluationRow,
  filter: TraceFilter,
  from: number,
  limit: number,
): Promise<TracedInput[]> {
  return rows<TracedInput>(
    db,
    sql`select position, input_key as "inputKey", input_id as "inputId", positive, scores, matches, trouble
        from evaluation_inputs
        where evaluation_key = ${evaluation.key} and position >= ${from} and ${condition(evaluation, filter)}
        order by position limit ${limit}`,
  );
}

function condition({ conceptIds }: EvaluationRow, filter: TraceFilter): Sql<unknown> {
  switch (filter.kind) {
    case 'all':
      return sql`true`;
    // Every input that truly has the concept adds its share to the cell.
    case 'cell':
      return sql`predicted is not null and positive @> array[${filter.actual}]::text[]`;
    case 'threshold': {
      const { concept, threshold, outcome } = filter;
      const place = conceptIds.indexOf(concept) + 1;
      const has = sql`positive @> array[${concept}]::text[]`;
      const isSaid = sql`scores[${place}::int] >= ${threshold}::real`;
      const ofRows = {
        tp: sql`${has} and ${isSaid}`,
        fp: sql`not ${has} and ${isSaid}`,
        fn: sql`${has} and not ${isSaid}`,
        tn: sql`not ${has} and not ${isSaid}`,
      };
      const anyRow = outcome ? ofRows[outcome] : sql`true`;
      return sql`predicted is not null and ((scores is not null and ${anyRow}) or exists (
        select 1 from jsonb_to_recordset(matches) as m(concept text, outcome text, score real)
        where m.concept = ${concept} and ${ofMatch(outcome, threshold)}))`;
    }
  }
}

/** What is found less surely than the threshold is not found: its true object is missed. */
function ofMatch(outcome: Outcome | undefined, threshold: number): Sql<unknown> {
  switch (outcome) {
    case undefined:
      return sql`true`;
    case 'tp':
    case 'fp':
      return sql`m.outcome = ${outcome} and m.score >= ${threshold}::real`;
    case 'fn':
      return sql`(m.outcome = 'fn' or (m.outcome = 'tp' and m.score < ${threshold}::real))`;
    case 'tn':
      return sql`false`;
  }
}
