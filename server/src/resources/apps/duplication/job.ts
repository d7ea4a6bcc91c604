import { toBinary } from '@bufbuild/protobuf';
import { AppDuplicationFiltersSchema, DataSchema, WorkflowVersionSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { JsonMap } from '#domain/patch.ts';
import type { JobContext, JobHandler, NewJob } from '#jobs/index.ts';
import type { Database, Tx } from '#store/postgres/index.ts';
import { bumpSearchRevision, insertAnnotations, type NewAnnotation } from '../../annotations/index.ts';
import { unpackBody } from '../../common/translate.ts';
import {
  type AnnotationToCopy,
  annotationsAfter,
  type Chunk,
  copiedModelIds,
  copyConcepts,
  copyInputs,
  copyModels,
  copyRelations,
  copyVectors,
  copyWorkflows,
  countRows,
  countUnsettled,
  insertWorkflowCopies,
} from './copy-store.ts';
import { type Count, duplicationStatus, type Field, fieldsOf } from './duplication.ts';
import { type DuplicationRow, endDuplication, livingApps, lockOpen, moveOn } from './store.ts';

export const duplicationKind = 'apps.duplicate';

export interface DuplicationParts {
  readonly db: Database;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}

interface Payload {
  readonly key: number;
}

export const duplicationJob = (key: number): NewJob => ({
  kind: duplicationKind,
  key: String(key),
  payload: { key } satisfies Payload,
});

const rowsPerStep = 500;
const bytesPerStep = 8 * 1024 * 1024;
const statementMs = 120_000;

/**
 * Copies an app, a chunk per transaction, which also writes down how far it came: killed anywhere, it goes on behind
 * the last chunk that was committed.
 */
export const duplicationHandler = (parts: DuplicationParts): JobHandler<Payload> => ({
  concurrency: 2,
  async run([job], context) {
    if (!job) return;
    while (await step(parts, job.payload.key, context)) mayDie('duplication-step');
  },
  onDead: ({ payload }, error, tx) =>
    endDuplication(tx, payload.key, { statusCode: duplicationStatus.failed, details: error }),
});

/** @returns false when it is over */
async function step(
  { db, jobGrant }: DuplicationParts,
  key: number,
  { signal }: JobContext,
): Promise<boolean> {
  signal.throwIfAborted();
  return db.transaction(
    async (tx) => {
      const row = await lockOpen(tx, key);
      if (!row) return false;
      const [source, dest] = [await jobGrant(row.sourceAppKey), await jobGrant(row.destAppKey)];
      if (!source || !dest || (await livingApps(tx, [row.sourceAppKey, row.destAppKey])).length < 2) {
        const details = `The ${source ? 'destination' : 'source'} app was deleted while it was copied.`;
        await endDuplication(tx, key, { statusCode: duplicationStatus.failed, details });
        return false;
      }
      const fields = fieldsOf(unpackBody(AppDuplicationFiltersSchema, row.filter));
      const field = (row.step || fields[0]) as Field;
      const counts: Record<string, Count> = { ...row.counts };
      if (row.step === '')
        for (const one of fields) counts[one] = { done: 0, total: await countRows(tx, row, one) };
      const chunk = await copyChunk(tx, row, field, { source, dest });
      const isLast = chunk.last === undefined;
      const { done = 0, total = 0 } = counts[field] ?? {};
      // Rows come and go while others are copied: what is over is over.
      counts[field] = isLast ? { done: total, total } : { done: Math.min(total, done + chunk.n), total };
      const next = isLast ? fields[fields.indexOf(field) + 1] : field;
      mayDie('duplication-copied');
      if (next === undefined) {
        await moveOn(tx, key, { step: field, afterKey: 0, counts });
        await endDuplication(tx, key, {
          statusCode: duplicationStatus.success,
          details: await leftBehind(tx, row, fields),
        });
        return false;
      }
      await moveOn(tx, key, { step: next, afterKey: chunk.last ?? 0, counts });
      return true;
    },
    { timeoutMs: statementMs },
  );
}

async function leftBehind(tx: Tx, row: DuplicationRow, fields: readonly Field[]): Promise<string> {
  const n = fields.includes('inputs') ? await countUnsettled(tx, row) : 0;
  return n === 0 ? '' : `${n} inputs were still being processed and were not copied.`;
}

async function copyChunk(
  tx: Tx,
  row: DuplicationRow,
  field: Field,
  apps: { source: AppGrant; dest: AppGrant },
): Promise<Chunk> {
  const after = row.step === '' ? 0 : row.afterKey;
  switch (field) {
    case 'concepts': {
      const chunk = await copyConcepts(tx, row, after, rowsPerStep);
      if (chunk.last === undefined) await copyRelations(tx, row);
      return chunk;
    }
    case 'models':
      return copyModels(tx, row, after, rowsPerStep);
    case 'workflows': {
      const { versions, ...chunk } = await copyWorkflows(tx, row, after, rowsPerStep);
      const copied = await copiedModelIds(tx, row);
      await insertWorkflowCopies(
        tx,
        row,
        versions.map((version) => ({ ...version, body: renamed(version.body, copied, apps) })),
      );
      return chunk;
    }
    case 'inputs': {
      const { wholes, ...chunk } = await copyInputs(tx, row, after, rowsPerStep);
      await writeAnnotations(tx, row, apps.dest, wholes);
      return chunk;
    }
    case 'annotations': {
      const { annotations, ...chunk } = await annotationsAfter(tx, row, after, rowsPerStep, bytesPerStep);
      await writeAnnotations(tx, row, apps.dest, annotations);
      return chunk;
    }
    case 'installed_module_versions':
      return { last: undefined, n: 0 };
  }
}

/** A workflow's nodes as they are in the copy: those that name copied models name the copies. */
function renamed(
  body: Buffer,
  copied: ReadonlySet<string>,
  { source, dest }: { source: AppGrant; dest: AppGrant },
): Buffer {
  const version = unpackBody(WorkflowVersionSchema, body);
  for (const { model } of version.nodes) {
    if (!model || model.userId !== source.userId || model.appId !== source.appId || !copied.has(model.id))
      continue;
    for (const owned of [model, model.modelVersion])
      if (owned) Object.assign(owned, { userId: dest.userId, appId: dest.appId });
  }
  return Buffer.from(toBinary(WorkflowVersionSchema, version));
}

async function writeAnnotations(
  tx: Tx,
  row: DuplicationRow,
  dest: AppGrant,
  annotations: readonly AnnotationToCopy[],
): Promise<void> {
  if (annotations.length === 0) return;
  await insertAnnotations(
    tx,
    dest,
    annotations.map(
      (one): NewAnnotation => ({
        id: one.id,
        inputKey: one.inputKey,
        inputId: one.inputId,
        inputLevel: one.inputLevel,
        trusted: one.trusted,
        statusCode: one.statusCode,
        worker: {
          userKey: one.workerUserKey ?? undefined,
          modelVersionKey: one.workerModelVersionKey ?? undefined,
          workflowVersionKey: one.workerWorkflowVersionKey ?? undefined,
        },
        // Tasks are not copied, so no copy belongs to one.
        taskId: '',
        annotationInfo: (one.annotationInfo ?? undefined) as JsonMap | undefined,
        consensusInfo: (one.consensusInfo ?? undefined) as JsonMap | undefined,
        data: unpackBody(DataSchema, one.data),
      }),
    ),
  );
  await copyVectors(
    tx,
    row,
    annotations.map(({ key }) => key),
  );
  await bumpSearchRevision(tx, dest);
}
