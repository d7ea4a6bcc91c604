import { mayDie } from '#domain/failpoints.ts';
import type { JobHandler, NewJob } from '#jobs/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Deps } from '../common/deps.ts';
import { mediaKey, seizeMedia } from './media.ts';
import { mediaSizes } from './media-url.ts';
import { unusedMedia } from './store.ts';

export const freeMediaKind = 'inputs.freeMedia';
export const sweepMediaKind = 'inputs.sweepMedia';

interface FreePayload {
  /** Hashes in hex. */
  readonly shas: readonly string[];
}

const shasPerJob = 64;

/** Jobs that free these media, for the transaction that let go of them. */
export function freeingJobs(shas: readonly (Buffer | null)[]): NewJob[] {
  const hashes = [...new Set(shas.flatMap((sha) => (sha ? [sha.toString('hex')] : [])))];
  return Array.from({ length: Math.ceil(hashes.length / shasPerJob) }, (_, i) => ({
    kind: freeMediaKind,
    payload: { shas: hashes.slice(i * shasPerJob, (i + 1) * shasPerJob) } satisfies FreePayload,
    priority: -10,
  }));
}

type MediaDeps = Deps & { readonly objects: ObjectStore };

/** Deletes the objects of media that nothing refers to. What is in use again by then is left alone. */
export function freeMediaHandler(deps: MediaDeps): JobHandler<FreePayload> {
  return {
    batch: 4,
    async run(jobs) {
      await free(
        deps,
        jobs.flatMap(({ payload }) => payload.shas.map((hash) => Buffer.from(hash, 'hex'))),
      );
    },
  };
}

/** An upload that has stored its bytes but not yet its row may be this old; nothing younger is swept. */
const sweepAgeMsMin = 24 * 3_600_000;
const objectsPerLook = 500;

/** Frees what crashes left behind: objects that were stored for a transaction that never committed. */
export function sweepMediaHandler(deps: MediaDeps): JobHandler<object> {
  return {
    async run(_jobs, context) {
      for (const size of mediaSizes) {
        for (let after = ''; ; ) {
          context.signal.throwIfAborted();
          const objects = await deps.objects.list(`media/${size}/`, after, objectsPerLook);
          const old = objects.filter(({ modifiedAt }) => Date.now() - modifiedAt.getTime() > sweepAgeMsMin);
          await free(
            deps,
            old.map(({ key }) => Buffer.from(key.slice(-64), 'hex')),
          );
          if (objects.length < objectsPerLook) break;
          after = objects.at(-1)?.key ?? '';
        }
      }
    },
  };
}

/** Looks and deletes under the locks of the hashes, so that no upload counts on what is about to go. */
async function free({ db, objects }: MediaDeps, shas: readonly Buffer[]): Promise<void> {
  if (shas.length === 0) return;
  await db.transaction(async (tx) => {
    await seizeMedia(tx, shas);
    const unused = await unusedMedia(tx, shas);
    mayDie('media-unused');
    for (const sha of unused) {
      for (const size of mediaSizes) await objects.delete(mediaKey(size, sha));
    }
    mayDie('media-freed');
  });
}
