import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type AnnotationSearchMetrics,
  AnnotationSearchMetricsSchema,
  EvalMetricsSchema,
  EvaluationType,
  type Search,
  SearchSchema,
  type ServicePart,
  StatusCode,
  StatusSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import { status } from '../common/status.ts';
import { showVisibility } from '../common/translate.ts';
import { searchFault } from './faults.ts';
import { metricsJob } from './job-kinds.ts';
import {
  deleteMetrics,
  findMetrics,
  insertMetrics,
  type MetricsRow,
  pageOfMetrics,
} from './metrics-store.ts';
import type { SearchParts } from './parts.ts';
import { readConcepts } from './read-concepts.ts';
import { readSearch } from './read-query.ts';
import { findSaved } from './saved-store.ts';

type Rpc =
  | 'postAnnotationSearchMetrics'
  | 'getAnnotationSearchMetrics'
  | 'listAnnotationSearchMetrics'
  | 'deleteAnnotationSearchMetrics';

/** What is compared here; other types need what a search of annotations does not say. */
const comparable: readonly number[] = [
  EvaluationType.Undefined,
  EvaluationType.Classification,
  EvaluationType.Detection,
];

export function searchMetricsHandlers(parts: SearchParts): ServicePart<Call, Rpc> {
  const { db } = parts;

  /** A search sent whole, or the saved one that is named; checked, and without ranks. */
  async function readSide(grant: AppGrant, sent: Search | undefined, field: string): Promise<Search> {
    if (!sent) throw searchFault.invalid(`${field} is missing: send a search, or the id of a saved one.`);
    const saved = !sent.query && sent.id ? await findSaved(db, grant, sent.id) : undefined;
    if (!sent.query && sent.id && !saved) throw searchFault.missing(sent.id);
    const search = saved ? fromBinary(SearchSchema, saved.body) : sent;
    if (saved) search.id = saved.id;
    if (readSearch(search).ranks.length > 0)
      throw searchFault.invalid(`${field} ranks; annotations are compared by filters alone.`);
    return search;
  }

  return {
    /** Compares one search with another as the truth, in the background: GetAnnotationSearchMetrics tells when it is done. */
    async postAnnotationSearchMetrics(req, call) {
      if (!comparable.includes(req.evaluationType))
        throw searchFault.invalid(
          `evaluation_type is ${req.evaluationType}; searches are compared as 1 (Classification) or 2 (Detection).`,
        );
      const id = req.id || newId();
      const trouble = idTrouble(id, 'search metrics');
      if (trouble) throw searchFault.invalid(trouble);
      readConcepts(req.data?.concepts ?? []);
      const body = create(AnnotationSearchMetricsSchema, {
        groundTruth: await readSide(call.app, req.groundTruth, 'ground_truth'),
        searchToEval: await readSide(call.app, req.searchToEval, 'search_to_eval'),
        data: req.data,
      } as never) as AnnotationSearchMetrics;
      const row = await db.transaction(async (tx) => {
        const made = await insertMetrics(tx, call.app, {
          id,
          body: Buffer.from(toBinary(AnnotationSearchMetricsSchema, body)),
          evaluationType: req.evaluationType,
          statusCode: StatusCode.MODEL_QUEUED_FOR_EVALUATION,
        });
        if (!made) throw searchFault.duplicateMetrics(id);
        await enqueue(tx, metricsJob(call.app, id));
        return made;
      });
      return { annotationSearchMetrics: [show(row, call.app)] };
    },

    async getAnnotationSearchMetrics(req, call) {
      const row = await findMetrics(db, call.app, req.id);
      if (!row) throw searchFault.missingMetrics(req.id);
      return { annotationSearchMetrics: [show(row, call.app)] };
    },

    /** All of the app, the newest first. The request has no pages; the newest thousand are shown. */
    async listAnnotationSearchMetrics(_req, call) {
      const rows = await pageOfMetrics(db, call.app, readPage({ page: 1, perPage: 1_000 }));
      return { annotationSearchMetrics: rows.map((row) => show(row, call.app)) };
    },

    async deleteAnnotationSearchMetrics(req, call) {
      if (!(await deleteMetrics(db, call.app, req.id))) throw searchFault.missingMetrics(req.id);
      return {};
    },
  };
}

function show(row: MetricsRow, grant: AppGrant): AnnotationSearchMetrics {
  const shown = fromBinary(AnnotationSearchMetricsSchema, row.body);
  shown.metrics = row.metrics ? fromBinary(EvalMetricsSchema, row.metrics) : create(EvalMetricsSchema);
  shown.metrics.id = row.id;
  shown.metrics.userId = grant.userId;
  shown.metrics.appId = grant.appId;
  shown.metrics.status = create(StatusSchema, status(row.statusCode as StatusCode, row.statusDetails));
  shown.activeConceptCount = row.conceptCount;
  shown.visibility = showVisibility(row.visibility);
  return shown;
}
