import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type Job, type JobContext } from '#jobs/index.ts';
import type { Database, Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import type { IndexingDeps } from './deps.ts';
import {
  beginPass,
  type EmbedderChange,
  endChange,
  findChange,
  isReindexing,
  lockChange,
  movePass,
  nextLacking,
} from './embedder-store.ts';
import { embedderJob } from './kinds.ts';
import { type IndexSome, tolerant } from './reindex.ts';

const annotationsPerStep = 32;
/** How long a walk waits for a reindexing, which makes the same vectors. */
const pauseMs = 2_000;
/**
 * The first pass embeds what was there; the second what was being stored meanwhile by what was true before. A third
 * is for the unlikely; from then on everything new had both vectors from the beginning.
 */
const passesMax = 3;
const askedAgainMs = 3_000;

/**
 * Looks the embedders of an app up, and where the base workflow names another one than serves and nobody walks for it
 * yet, asks for the walk: so it does not matter in which way the workflow was changed.
 */
export function askingForWalks(db: Database, find: IndexingDeps['embeddersOf']): IndexingDeps['embeddersOf'] {
  const asked = new Map<number, number>();
  return async (reads, grant) => {
    const found = await find(reads, grant);
    const now = Date.now();
    if (found.isDue && (asked.get(grant.appKey) ?? 0) < now - askedAgainMs) {
      asked.set(grant.appKey, now);
      await db.transaction((tx) => enqueue(tx, embedderJob(grant)));
    }
    return found;
  };
}

/** How far the change of an app's embedder is; undefined where none is under way. */
export async function changeOf(
  db: Db,
  grant: AppGrant,
): Promise<(EmbedderChange & { comingKey: number }) | undefined> {
  const change = await findChange(db, grant);
  return change && change.comingKey !== null ? { ...change, comingKey: change.comingKey } : undefined;
}

/**
 * One step of the way to another embedder: gives some annotations the vectors that it has not made of them, and queues
 * the next; at the end of the way searches look into its vectors, from one moment to the next. How far it came is in
 * the database, and a step that is run twice writes the same again.
 */
export async function embedderStep(
  deps: IndexingDeps,
  indexSome: IndexSome,
  grant: AppGrant,
  job: Job,
  context: JobContext,
): Promise<void> {
  const change = await deps.db.transaction((tx) => begun(deps, tx, grant));
  if (!change) return;
  const again = (runAt?: Date) => deps.db.transaction((tx) => enqueue(tx, embedderJob(grant, runAt)));
  if (await isReindexing(deps.db, grant)) return again(new Date(Date.now() + pauseMs));
  const { until, lacking } = await nextLacking(deps.db, grant, change);
  if (until === null) {
    if (change.embedded > 0 && change.pass < passesMax) {
      await deps.db.transaction((tx) => beginPass(tx, grant, change.comingKey, change.pass + 1));
      return again();
    }
    return switchTo(deps, grant, change);
  }
  const some = lacking.slice(0, annotationsPerStep);
  let failed = 0;
  for (const inputKey of new Set(some.map((one) => one.inputKey))) {
    context.signal.throwIfAborted();
    const keys = some.filter((one) => one.inputKey === inputKey).map(({ key }) => key);
    const work = async () => (await indexSome(grant, keys, context)).size === 0;
    if (!(await tolerant(deps, inputKey, job, context, work))) failed += keys.length;
  }
  const cursorKey = some.length < lacking.length ? (some.at(-1)?.key as number) : until;
  await deps.db.transaction(async (tx) => {
    if (await movePass(tx, grant, change, { cursorKey, embedded: some.length - failed, failed }))
      await enqueue(tx, embedderJob(grant));
    await context.complete(tx, [job]);
  });
}

type Walk = EmbedderChange & { readonly comingKey: number };

/** The walk as it is; begun where the base workflow names another embedder than before, ended where it names the old. */
async function begun(deps: IndexingDeps, tx: Tx, grant: AppGrant): Promise<Walk | undefined> {
  // Locked first: who stores vectors after this knows of the new embedder, who did before has committed.
  const change = await lockChange(tx, grant);
  const { base } = await deps.embeddersOf(tx, grant);
  if (!change) return undefined;
  if (!base || base.modelVersionKey === change.servingKey) {
    if (change.comingKey !== null) await endChange(tx, grant, change.servingKey);
    return undefined;
  }
  const comingKey = base.modelVersionKey;
  if (change.comingKey === comingKey) return { ...change, comingKey };
  await beginPass(tx, grant, comingKey, 1);
  return { ...((await findChange(tx, grant)) as EmbedderChange), comingKey };
}

/** Searches that begin after this look into the new vectors, all of them; those under way end with the old ones. */
async function switchTo(deps: IndexingDeps, grant: AppGrant, { comingKey, failed }: Walk): Promise<void> {
  await deps.warmIndex?.(grant, comingKey);
  const isSwitched = await deps.db.transaction(async (tx) => {
    const now = await lockChange(tx, grant);
    const { base } = await deps.embeddersOf(tx, grant);
    if (now?.comingKey !== comingKey || base?.modelVersionKey !== comingKey) return false;
    await endChange(tx, grant, comingKey);
    await bumpSearchRevision(tx, grant);
    return true;
  });
  // Changed once more meanwhile: whoever did that has queued the next step.
  if (isSwitched)
    deps.log.info({ appKey: grant.appKey, failed }, 'searches look into the vectors of another embedder');
}
