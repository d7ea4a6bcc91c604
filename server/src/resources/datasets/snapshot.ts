import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import type { Database, Queryable } from '#store/postgres/index.ts';
import {
  type CountedGroup,
  copyAnnotations,
  copyMembers,
  countAll,
  countGroups,
  dropEmptyMembers,
  finishVersion,
  lockPending,
  storeGroups,
} from './snapshot-store.ts';
import { leavesOutEmpty } from './version.ts';
import { versionStatus } from './version-store.ts';

export const snapshotKind = 'datasets.snapshot';
const timeoutMs = 10 * 60_000;

export const enqueueSnapshot = (tx: Queryable, grant: AppGrant, versionKey: number): Promise<void> =>
  enqueue(tx, {
    kind: snapshotKind,
    key: String(versionKey),
    payload: { versionKey },
    appKey: grant.appKey,
    // Somebody waits for it, with a progress bar.
    priority: 10,
  });

/** Fills new versions: all of one in a single transaction, so that a half-made one is never seen. */
export const snapshotJob = (db: Database): JobHandler<{ versionKey: number }> => ({
  async run(jobs, context) {
    for (const job of jobs) await fill(db, job, context);
  },
  onDead: (job, _error, tx) => finishVersion(tx, job.payload.versionKey, versionStatus.failed, null),
});

async function fill(db: Database, job: Job<{ versionKey: number }>, context: JobContext): Promise<void> {
  const { versionKey } = job.payload;
  await db.transaction(
    async (tx) => {
      const version = await lockPending(tx, job.appKey ?? 0, versionKey);
      if (version) {
        await copyMembers(tx, versionKey, version.datasetKey);
        await copyAnnotations(tx, versionKey);
        mayDie('snapshot-copied');
        if (leavesOutEmpty(version.body)) await dropEmptyMembers(tx, versionKey);
        const groups = await countGroups(tx, versionKey);
        await storeGroups(tx, versionKey, groups.length > 0 ? groups : [emptyGroup]);
        await finishVersion(tx, versionKey, versionStatus.ready, await countAll(tx, versionKey));
      }
      mayDie('snapshot-counted');
      await context.complete(tx, [job]);
    },
    { isolation: 'repeatable read', timeoutMs },
  );
}

/** Clients wait until there is a group, even over nothing (SEMANTICS trap 37). */
const emptyGroup = { type: 2, value: 'image' } as CountedGroup;
