import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type Data,
  DataSchema,
  DatasetSchema,
  type EvalMetrics,
  EvalMetricsSchema,
  type EvalTestSetEntry,
  EvalTestSetEntrySchema,
  type FieldsValue,
  type Input,
  InputSchema,
  ModelSchema,
  type StatusCode,
  StatusSchema,
} from '@fovea/contract';
import { status } from '../common/status.ts';
import { packBody, showTime, unpackBody } from '../common/translate.ts';
import type { EvaluatedInput, EvaluationRow, KnownConcept } from './evaluation.ts';

/** What is kept of an evaluation as it was asked for; figures and states have columns of their own. */
const kept = ['model', 'groundTruthDataset', 'evalInfo', 'extendedMetrics'] as const;
const columns = (Object.keys(create(EvalMetricsSchema)) as (keyof EvalMetrics)[])
  .concat([
    'status',
    'summary',
    'confusionMatrix',
    'cooccurrenceMatrix',
    'labelCounts',
    'predictionsDataset',
    'foveaCreatedAt',
  ])
  .filter((name) => name !== '$typeName' && !(kept as readonly string[]).includes(name));

export const packEvaluation = (asked: EvalMetrics): Buffer => packBody(EvalMetricsSchema, asked, columns);
export const bodyOfEvaluation = (row: Pick<EvaluationRow, 'body'>): EvalMetrics =>
  unpackBody(EvalMetricsSchema, row.body);

const parts = {
  confusionMatrix: undefined,
  cooccurrenceMatrix: undefined,
  labelCounts: undefined,
  binaryMetrics: [],
  testSet: [],
  metricsByArea: [],
  metricsByClass: [],
} satisfies Partial<Record<keyof FieldsValue, unknown>>;

/** Takes away what was not asked for: the summary alone is always shown (SEMANTICS 3.3). */
export function withFields(metrics: EvalMetrics, asked: FieldsValue | undefined): EvalMetrics {
  for (const [name, nothing] of Object.entries(parts)) {
    if (!asked?.[name as keyof typeof parts]) Object.assign(metrics, { [name]: nothing });
  }
  return metrics;
}

/** Ids of the dataset versions that an evaluation speaks of. */
export interface VersionIds {
  readonly truth: string | undefined;
  readonly predictions: string | undefined;
}

/** An evaluation with its figures, less the test set. */
export function showEvaluation(row: EvaluationRow, versions: VersionIds, withTimes = false): EvalMetrics {
  const body = bodyOfEvaluation(row);
  const shown = row.result ? fromBinary(EvalMetricsSchema, row.result) : create(EvalMetricsSchema);
  shown.id = row.id;
  shown.userId = row.userId;
  shown.appId = row.appId;
  shown.status = create(StatusSchema, {
    ...status(row.statusCode as StatusCode, row.statusDetails),
    percentCompleted: row.percentCompleted,
  });
  shown.model = body.model ?? create(ModelSchema);
  shown.model.modelTypeId = row.modelTypeId;
  const dataset = body.groundTruthDataset;
  if (dataset && row.datasetId !== '') {
    const owner = { appId: dataset.appId, userId: dataset.userId };
    const of = (id: string) => ({ ...owner, id, datasetId: row.datasetId });
    const shownDataset = (versionId: string | undefined) =>
      create(DatasetSchema, {
        ...owner,
        id: row.datasetId,
        ...(versionId === undefined ? {} : { version: of(versionId) }),
      });
    shown.groundTruthDataset = shownDataset(versions.truth);
    if (versions.predictions) shown.predictionsDataset = shownDataset(versions.predictions);
  }
  if (withTimes) shown.foveaCreatedAt = showTime(row.createdAt) as NonNullable<EvalMetrics['foveaCreatedAt']>;
  if (body.evalInfo) shown.evalInfo = body.evalInfo;
  if (body.extendedMetrics) shown.extendedMetrics = body.extendedMetrics;
  return shown;
}

/** One input of the test set: what the model said, what is true, and the input to look at. */
export function showTestSetEntry(
  row: EvaluatedInput,
  conceptIds: readonly string[],
  concepts: ReadonlyMap<string, KnownConcept>,
  input: Input | undefined,
): EvalTestSetEntry {
  const of = (id: string, value: number) => {
    const { name = id, appId = '' } = concepts.get(id) ?? {};
    return { id, name, appId, value };
  };
  const shownInput = input
    ? create(InputSchema, { id: input.id, ...(input.data ? { data: mediaOf(input.data) } : {}) })
    : create(InputSchema, { id: row.inputId });
  const truth = unpackBody(DataSchema, row.truth);
  const entry: MessageInitShape<typeof EvalTestSetEntrySchema> = {
    input: shownInput,
    groundTruthConcepts: row.positive.map((id) => of(id, 1)),
    predictedConcepts: (row.scores ?? []).map((value, index) => of(conceptIds[index] ?? '', value)),
  };
  if (!row.scores) {
    // Of regions every one stands for itself: a reader pairs each with its own first concept.
    const each = (data: Data) =>
      create(DataSchema, {
        clusters: data.clusters,
        frames: data.frames,
        regions: data.regions.flatMap((region) =>
          (region.data?.concepts ?? []).map((concept) => ({
            id: region.id,
            value: region.value,
            ...(region.regionInfo ? { regionInfo: region.regionInfo } : {}),
            data: { concepts: [of(concept.id, concept.value)] },
          })),
        ),
      });
    entry.groundTruthAnnotation = { inputId: row.inputId, data: each(truth) };
    entry.predictedAnnotation = {
      inputId: row.inputId,
      data: each(unpackBody(DataSchema, row.predicted ?? Buffer.alloc(0))),
    };
  }
  return create(EvalTestSetEntrySchema, entry);
}

/** Nothing but what the input is: its labels stand beside it. */
const mediaOf = ({ image, video, text, audio }: Data): Data =>
  create(DataSchema, {
    ...(image ? { image } : {}),
    ...(video ? { video } : {}),
    ...(text ? { text } : {}),
    ...(audio ? { audio } : {}),
  });
