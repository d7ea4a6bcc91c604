import { isDatabaseAway } from '#domain/database-away.ts';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type Job, type JobContext } from '#jobs/index.ts';
import type { IndexingDeps } from './deps.ts';
import { type AppPayload, reindexStepJob } from './kinds.ts';
import { endReindex, finishChunk, takeChunk } from './reindex-store.ts';
import { annotationsWithout, hasBaseWorkflow } from './store.ts';

const inputsPerStep = 16;
const annotationsPerLook = 256;
const atOnce = 2;

/** Gives what is named vectors of the base workflow's embedder; @returns the inputs whose bytes could not be read */
export type IndexSome = (
  grant: AppGrant,
  annotationKeys: readonly number[],
  context: JobContext,
) => Promise<ReadonlySet<number>>;

/**
 * One step of a reindexing: gives some inputs the vectors that the app's embedder has not made of them, runs the
 * other nodes of the base workflow on them again, and queues the next. How far it came is in the database, and a
 * step that is run twice writes the same again.
 */
export async function reindexStep(
  deps: IndexingDeps,
  indexSome: IndexSome,
  grant: AppGrant,
  job: Job<AppPayload>,
  context: JobContext,
): Promise<void> {
  const { generation } = job.payload;
  const { base } = await deps.embeddersOf(deps.db, grant);
  const hasWork = base || (await hasBaseWorkflow(deps.db, grant));
  const keys = hasWork ? await takeChunk(deps.db, grant, generation, inputsPerStep) : [];
  if (keys.length === 0) return endReindex(deps.db, grant.appKey, generation, 'reindexed');
  mayDie('reindex-taken');
  let errors = 0;
  const waiting = [...keys];
  const work = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      context.signal.throwIfAborted();
      const inputKey = key;
      const work = () => reindexInput(deps, indexSome, grant, inputKey, context);
      if (!(await tolerant(deps, inputKey, job, context, work))) errors += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await deps.db.transaction(async (tx) => {
    if (await finishChunk(tx, grant, generation, { reindexed: keys.length - errors, errors }))
      await enqueue(tx, reindexStepJob(grant, generation));
    await context.complete(tx, [job]);
    mayDie('reindex-counted');
  });
}

/**
 * Does the work on one input; the others do not wait for one that cannot be done. What was decided about its content
 * stays so; else it is tried again, but not for ever.
 *
 * @returns whether it was done
 */
export async function tolerant(
  { log }: Pick<IndexingDeps, 'log'>,
  inputKey: number,
  job: Job,
  { signal }: JobContext,
  work: () => Promise<boolean>,
): Promise<boolean> {
  try {
    return await work();
  } catch (thrown) {
    const isDecided = thrown instanceof Fault && thrown.kind !== 'unavailable';
    const isLast = job.attempts >= job.maxAttempts;
    if (isDatabaseAway(thrown) || signal.aborted || !(isDecided || isLast)) throw thrown;
    log.warn({ inputKey, cause: String(thrown) }, 'an input could not be reindexed');
    return false;
  }
}

/** @returns false when its bytes could not be read */
async function reindexInput(
  deps: IndexingDeps,
  indexSome: IndexSome,
  grant: AppGrant,
  inputKey: number,
  context: JobContext,
): Promise<boolean> {
  const { base } = await deps.embeddersOf(deps.db, grant);
  let isRead = true;
  for (let after = 0, keys: number[]; base; after = keys.at(-1) as number) {
    keys = await annotationsWithout(deps.db, grant, {
      modelVersionKey: base.modelVersionKey,
      inputKey,
      afterKey: after,
      limit: annotationsPerLook,
    });
    if (keys.length === 0) break;
    if ((await indexSome(grant, keys, context)).size > 0) isRead = false;
  }
  await deps.runBaseWorkflow?.(grant, [inputKey]);
  return isRead;
}
