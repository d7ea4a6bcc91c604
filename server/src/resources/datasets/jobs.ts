import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Search, SearchSchema } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type JobHandler } from '#jobs/index.ts';
import type { Queryable } from '#store/postgres/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import type { DatasetParts } from './deps.ts';
import { freeChunksHandler, freeChunksKind } from './free-chunks.ts';
import { holdDatasets, holdMembers, insertMemberships } from './membership-store.ts';
import { snapshotJob, snapshotKind } from './snapshot.ts';

const addKind = 'datasets.add';
const chunk = 5_000;

interface AddSearch {
  readonly datasetId: string;
  /** Search message, base64. */
  readonly search: string;
}

/** Adds all hits of a search to a dataset, in the background. Takes part in the caller's transaction. */
export function enqueueAddSearch(
  tx: Queryable,
  grant: AppGrant,
  datasetId: string,
  search: Search,
): Promise<void> {
  const payload: AddSearch = {
    datasetId,
    search: Buffer.from(toBinary(SearchSchema, search)).toString('base64'),
  };
  return enqueue(tx, { kind: addKind, payload, appKey: grant.appKey });
}

export function datasetJobs(parts: DatasetParts): Record<string, JobHandler> {
  return {
    [snapshotKind]: snapshotJob(parts),
    [freeChunksKind]: freeChunksHandler(parts),
    /** Run twice, it adds only what is missing; a dataset or app that is gone meanwhile ends it. */
    [addKind]: {
      async run(jobs, { signal }) {
        for (const { payload, appKey } of jobs) {
          const grant = appKey === null ? undefined : await parts.jobGrant(appKey);
          if (!grant) continue;
          await addHits(parts, grant, payload as AddSearch, signal).catch((thrown: unknown) => {
            // What the search asks for cannot be had (its app indexes nothing, say): trying again would not help.
            if (!(thrown instanceof Fault && thrown.kind === 'bad_request')) throw thrown;
            parts.log.info(
              { appKey, why: thrown.details },
              'a search that cannot be run adds nothing to its dataset',
            );
          });
        }
      },
    },
  };
}

async function addHits(
  parts: DatasetParts,
  grant: AppGrant,
  job: AddSearch,
  signal: AbortSignal,
): Promise<void> {
  const search = fromBinary(SearchSchema, Buffer.from(job.search, 'base64'));
  const keys = await parts.searches.inputKeys(grant, search);
  for (let done = 0; done < keys.length; done += chunk) {
    signal.throwIfAborted();
    await parts.db.transaction(async (tx) => {
      const datasetKey = (await holdDatasets(tx, grant, [job.datasetId])).get(job.datasetId);
      if (datasetKey === undefined) return;
      const held = await holdMembers(tx, grant, keys.slice(done, done + chunk));
      const pairs = [...held].map((inputKey) => ({ datasetKey, inputKey }));
      if ((await insertMemberships(tx, grant, pairs)).length > 0) await bumpSearchRevision(tx, grant);
    });
  }
}
