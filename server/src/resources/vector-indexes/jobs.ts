import type { AppGrant } from '#domain/grant.ts';
import type { VectorStore } from '#domain/vector-store.ts';
import type { Job, JobHandler, Periodic } from '#jobs/index.ts';
import type { Log } from '#store/log.ts';
import type { Database } from '#store/postgres/index.ts';
import { collectionName, levelCollection, type VectorCatalog } from './catalog.ts';
import { checkStatus, endCheck, findCheckByKey, moveCheck } from './check-store.ts';
import { forgetErased } from './file-store.ts';
import {
  beginCollection,
  dimsOf,
  findCollection,
  forgetCollection,
  indexedVersions,
  lockCollection,
  moveCollection,
  orphanedCollections,
  truthOf,
  truthPage,
} from './index-store.ts';
import { type BuildPayload, buildKind, type CheckPayload, checkKind, sweepKind } from './job-kinds.ts';
import { verifyIndex } from './verify.ts';

export interface VectorJobParts {
  readonly db: Database;
  readonly vectors: VectorCatalog;
  readonly stores: readonly VectorStore[];
  readonly log: Log;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}

const rowsPerStep = 512;
const stepMs = 120_000;

/** Jobs of this family by kind, for the worker. */
export function vectorJobs(parts: VectorJobParts): Record<string, JobHandler> {
  const { db, jobGrant, log } = parts;
  const grantOf = async ({ appKey }: Job) => (appKey === null ? undefined : jobGrant(appKey));
  return {
    [buildKind]: {
      async run([job], { signal }) {
        const grant = await grantOf(job as Job);
        if (grant) await build(parts, grant, (job as Job<BuildPayload>).payload, signal);
      },
    },
    [checkKind]: {
      async run([job], { signal }) {
        const grant = await grantOf(job as Job);
        if (grant) await check(parts, grant, (job as Job<CheckPayload>).payload.checkKey, signal);
      },
      async onDead({ payload }, error, tx) {
        log.error({ error }, 'an index could not be compared with its vectors');
        const words = 'The check could not be ended after several tries; the log says why.';
        await endCheck(tx, (payload as CheckPayload).checkKey, checkStatus.failed, words, []);
      },
    },
    [sweepKind]: {
      async run() {
        await forgetErased(db);
        for (const orphan of await orphanedCollections(db)) {
          const store = parts.stores.find(({ kind }) => kind === orphan.store);
          await store?.drop(collectionName(orphan.appKey, orphan.modelVersionKey));
          await forgetCollection(db, orphan);
        }
      },
    },
  };
}

export const vectorPeriodicJobs: readonly Periodic[] = [{ kind: sweepKind, everyMs: 3_600_000 }];

/**
 * Fills a collection outside of this process, a page per transaction; cut off, it goes on where it was. Searches are
 * answered from memory until all is there.
 */
async function build(
  { db, stores }: VectorJobParts,
  grant: AppGrant,
  { modelVersionKey, store: kind }: BuildPayload,
  signal: AbortSignal,
): Promise<void> {
  const store = stores.find((one) => one.kind === kind);
  const dims = await dimsOf(db, grant, modelVersionKey);
  if (!store || dims === undefined) return;
  const known = await findCollection(db, grant, modelVersionKey, kind);
  // What an earlier life of this app left there is no part of it.
  if (!known) await store.drop(collectionName(grant.appKey, modelVersionKey));
  const collection = await store.open(collectionName(grant.appKey, modelVersionKey), dims);
  await beginCollection(db, grant, modelVersionKey, kind, dims);
  const which = { modelVersionKey, store: kind };
  for (let isWhole = false; !isWhole; ) {
    signal.throwIfAborted();
    isWhole = await db.transaction(
      async (tx) => {
        const row = await lockCollection(tx, grant, modelVersionKey, kind);
        if (!row || row.isWhole) return true;
        const { keys, vectors } = await truthPage(tx, grant, modelVersionKey, row.afterKey, rowsPerStep);
        if (keys.length > 0) {
          await collection.upsert(keys, vectors);
          await moveCollection(tx, grant, which, { afterKey: keys[keys.length - 1] as number });
          return false;
        }
        await levelCollection(tx, grant, which, collection);
        await moveCollection(tx, grant, which, { isWhole: true });
        return true;
      },
      { timeoutMs: stepMs },
    );
  }
}

/** Compares every index of an app with its rows, and puts them right when asked to. */
async function check(
  { db, vectors }: VectorJobParts,
  grant: AppGrant,
  checkKey: number,
  signal: AbortSignal,
): Promise<void> {
  const row = await findCheckByKey(db, grant, checkKey);
  if (!row) return;
  const versions = await indexedVersions(db, grant);
  const total = versions.reduce((sum, version) => sum + version.vectors, 0);
  await moveCheck(db, checkKey, 0, total);
  const report: object[] = [];
  let before = 0;
  for (const { modelVersionKey, modelVersionId, modelId } of versions) {
    const settle = () => vectors.open(grant, modelVersionKey);
    const index = await settle();
    if (!index) continue;
    const found = await verifyIndex({
      truth: {
        page: (after, limit) => truthPage(db, grant, modelVersionKey, after, limit),
        read: (keys) => truthOf(db, grant, modelVersionKey, keys),
      },
      index,
      settle,
      repair: row.repair,
      signal,
      onProgress: (done) => moveCheck(db, checkKey, before + done, total),
    });
    before += found.total;
    const { serving } = await vectors.stateOf(grant, modelVersionKey);
    report.push({ model_id: modelId, model_version_id: modelVersionId, store: serving, ...found });
  }
  await endCheck(db, checkKey, checkStatus.completed, '', report);
}
