import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AnnotationSearchMetricsSchema,
  EvalMetricsSchema,
  EvaluationType,
  type Search,
  StatusCode,
} from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { openSearch } from './execute.ts';
import { classificationFigures, detectionFigures } from './metrics-figures.ts';
import { endMetrics, findMetrics } from './metrics-store.ts';
import { type SearchParts, steady } from './parts.ts';
import { readSearch } from './read-query.ts';

/** Compares the two searches of stored metrics; run twice, it writes the same again. */
export async function compareSearches(
  parts: SearchParts,
  grant: AppGrant,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const row = await findMetrics(parts.db, grant, id);
  // Deleted while it waited.
  if (!row) return;
  const own = steady(parts);
  const { groundTruth, searchToEval, data } = fromBinary(AnnotationSearchMetricsSchema, row.body);
  const open = (search: Search | undefined) =>
    openSearch(own, grant, 'annotation', readSearch(search as Search));
  try {
    const figures =
      row.evaluationType === EvaluationType.Detection ? detectionFigures : classificationFigures;
    const { conceptIds, shown } = await figures({
      db: parts.db,
      truth: await open(groundTruth),
      judged: await open(searchToEval),
      asked: (data?.concepts ?? []).map((concept) => concept.id || concept.name),
      signal,
    });
    await endMetrics(parts.db, grant, id, {
      statusCode: StatusCode.MODEL_EVALUATED,
      statusDetails: '',
      conceptCount: conceptIds.length,
      metrics: Buffer.from(toBinary(EvalMetricsSchema, create(EvalMetricsSchema, shown))),
    });
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    await failComparison(parts, grant, id, thrown.details);
  }
}

export const failComparison = (
  { db }: Pick<SearchParts, 'db'>,
  grant: AppGrant,
  id: string,
  details: string,
): Promise<void> =>
  endMetrics(db, grant, id, {
    statusCode: StatusCode.MODEL_EVALUATION_FAILED,
    statusDetails: details,
    conceptCount: 0,
    metrics: null,
  });
