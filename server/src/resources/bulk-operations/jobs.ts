import type { BulkOperation } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type JobHandler } from '#jobs/index.ts';
import type { Queryable } from '#store/postgres/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { applyTo } from './apply.ts';
import type { BulkJobParts } from './deps.ts';
import { type Chunk, chunksOf, operationStatus, splitChunks, targetKindOf } from './operation.ts';
import {
  endOperations,
  findOpen,
  finishChunk,
  idOfTarget,
  keepChunks,
  keysOfDataset,
  lockOpen,
  nextChunk,
  type OpenOperation,
} from './store.ts';
import { unpackOperation } from './translate.ts';

const runKind = 'bulk-operations.run';
/** A chunk meets indexes and counters of other writers; the default limit is for single rows. */
const chunkTimeoutMs = 120_000;

interface Payload {
  readonly operationKey: number;
}

/** Takes part in the caller's transaction. */
export const enqueueOperation = (tx: Queryable, grant: AppGrant, operationKey: number): Promise<void> =>
  enqueue(tx, {
    kind: runKind,
    key: String(operationKey),
    payload: { operationKey } satisfies Payload,
    appKey: grant.appKey,
  });

/** Runs operations chunk by chunk, each with its progress in one transaction: after a crash they go on where they were. */
export function bulkOperationJobs(parts: BulkJobParts): Record<string, JobHandler> {
  const { db, log } = parts;
  return {
    [runKind]: {
      concurrency: 2,
      async run(jobs, { signal }) {
        for (const { payload, appKey } of jobs) {
          const { operationKey } = payload as Payload;
          const open = appKey === null ? undefined : await findOpen(db, appKey, operationKey);
          const grant = open && (await parts.jobGrant(appKey as number, open));
          if (!grant) continue;
          await runOperation(parts, grant, open, signal).catch(async (thrown: unknown) => {
            // What it asks for cannot be had: trying again would not help.
            if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown;
            log.info({ appKey, operationKey, why: thrown.details }, 'a bulk operation failed');
            await endOperations(db, grant.appKey, [open.key], operationStatus.failed, thrown.details);
          });
        }
      },
      async onDead({ payload, appKey }, error, tx) {
        if (appKey === null) return;
        const { operationKey } = payload as Payload;
        await endOperations(
          tx,
          appKey,
          [operationKey],
          operationStatus.unexpected,
          'It failed several times.',
        );
        log.error({ appKey, operationKey, error }, 'a bulk operation was given up');
      },
    },
  };
}

async function runOperation(
  parts: BulkJobParts,
  grant: AppGrant,
  open: OpenOperation,
  signal: AbortSignal,
): Promise<void> {
  const operation = unpackOperation(open.body);
  if (!open.prepared) await prepare(parts, grant, open.key, operation);
  while (await runChunk(parts, grant, open.key, operation)) {
    mayDie('bulk-batch-done');
    signal.throwIfAborted();
  }
}

/** Finds what is meant, as it is now, and puts it down: what the operation changes must not change what it is about. */
async function prepare(
  parts: BulkJobParts,
  grant: AppGrant,
  key: number,
  operation: BulkOperation,
): Promise<void> {
  const keys = await findTargets(parts, grant, operation);
  mayDie('bulk-searched');
  const operate = operation.operation?.operation;
  const chunks: Chunk[] =
    operate?.case === 'splitIntoDatasets'
      ? splitChunks(
          keys,
          operate.value.datasetSplits.map(({ dataset, methodInfo }) => ({
            datasetId: dataset?.id ?? '',
            percentage: methodInfo.value ?? 0,
          })),
        )
      : chunksOf(keys);
  await parts.db.transaction(async (tx) => {
    const locked = await lockOpen(tx, grant, key);
    if (locked && !locked.prepared) await keepChunks(tx, grant, key, chunks);
    mayDie('bulk-prepared');
  });
}

async function findTargets(
  { db, findInputs, searches }: BulkJobParts,
  grant: AppGrant,
  operation: BulkOperation,
): Promise<readonly number[]> {
  if (operation.annotationSource.case)
    return searches.annotationKeys(grant, operation.annotationSource.value);
  const source = operation.inputSource;
  if (source.case === 'dataset') return keysOfDataset(db, grant, source.value.id);
  if (source.case === 'search')
    return targetKindOf(operation) === 'annotation'
      ? searches.annotationKeys(grant, source.value)
      : searches.inputKeys(grant, source.value);
  const ids = [...new Set(source.value?.inputIds ?? [])];
  const keyOf = new Map((await findInputs(db, grant, ids)).map(({ id, key }) => [id, key]));
  // In the order they were sent, as `last_processed_id` tells how far it came.
  return ids.flatMap((id) => keyOf.get(id) ?? []);
}

/** @returns false when there is nothing left to do. */
function runChunk(
  { db }: BulkJobParts,
  grant: AppGrant,
  key: number,
  operation: BulkOperation,
): Promise<boolean> {
  const kind = targetKindOf(operation);
  return db.transaction(
    async (tx) => {
      if (!(await lockOpen(tx, grant, key))) return false;
      const chunk = await nextChunk(tx, key);
      if (!chunk) return false;
      const lastId = await idOfTarget(tx, grant, kind, chunk.keys.at(-1));
      const changed = await applyTo(tx, grant, operation, kind, chunk);
      mayDie('bulk-applied');
      await finishChunk(tx, grant, key, chunk, lastId);
      if (changed > 0) await bumpSearchRevision(tx, grant);
      return true;
    },
    { timeoutMs: chunkTimeoutMs },
  );
}
