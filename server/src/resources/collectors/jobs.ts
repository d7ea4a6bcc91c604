import { fromBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type JobHandler } from '#jobs/index.ts';
import { bumpSearchRevision, replaceModelAnnotations } from '../annotations/index.ts';
import type { CollectorJobParts } from './deps.ts';
import { unpackCollector } from './handlers.ts';
import { type CollectorRow, deleteItem, findItem, type ItemRow, markPosted, noteTrouble } from './store.ts';

export const collectKind = 'collectors.collect';
const processed = 30000;
/** Statuses that lead to another: waiting, and being processed. */
const onTheWay = new Set([30001, 30003]);
const lookAgainMs = 500;

interface Payload {
  readonly itemKey: number;
}

/** Takes what was queued through its workflows into the collector's app. Each step can be done twice. */
export function collectorJobs(parts: CollectorJobParts): Record<string, JobHandler> {
  const { db, log } = parts;
  return {
    [collectKind]: {
      concurrency: 2,
      async run(jobs, { signal }) {
        for (const { payload, appKey } of jobs) {
          const { itemKey } = payload as Payload;
          const grant = appKey === null ? undefined : await parts.jobGrant(appKey);
          const item = grant && (await findItem(db, grant, itemKey));
          if (!grant || !item) continue;
          await collect(parts, grant, itemKey, item, signal).catch(async (thrown: unknown) => {
            // A key that may no longer, a workflow that is gone: trying again would not help.
            if (!(thrown instanceof Fault) || ['internal', 'unavailable'].includes(thrown.kind)) throw thrown;
            log.info({ appKey, collector: item.id, why: thrown.details }, 'an input could not be collected');
            await noteTrouble(
              db,
              grant,
              item.key,
              `The last input could not be collected: ${thrown.details}`,
            );
            await deleteItem(db, itemKey);
          });
        }
      },
      async onDead({ payload, appKey }, error, tx) {
        const { itemKey } = payload as Payload;
        const grant = appKey === null ? undefined : await parts.jobGrant(appKey);
        const item = grant && (await findItem(tx, grant, itemKey));
        if (grant && item)
          await noteTrouble(
            tx,
            grant,
            item.key,
            `An input was given up after it had been tried several times: ${error}`,
          );
        await deleteItem(tx, itemKey);
      },
    },
  };
}

async function collect(
  parts: CollectorJobParts,
  grant: AppGrant,
  itemKey: number,
  item: CollectorRow & ItemRow,
  signal: AbortSignal,
): Promise<void> {
  const { db } = parts;
  const collector = unpackCollector(item);
  if (!item.posted) {
    const [input, output] = [unpack(item.input), unpack(item.output)];
    const passes = async (workflowId: string, data: Data) =>
      workflowId === '' || (await parts.runWorkflow(grant, workflowId, data, signal)).some(holdsAnything);
    if (
      !(await passes(collector.preQueueWorkflowId, output)) ||
      !(await passes(collector.postQueueWorkflowId, input))
    )
      return deleteItem(db, itemKey);
    mayDie('collector-chosen');
    const poster = await parts.keyGrant(parts.sealer.unseal(item.sealedKey), grant);
    await parts.postInput(poster, item.inputId, input);
    mayDie('collector-posted');
    await noteTrouble(db, grant, item.key, '');
    if (!collector.collectOutputs) return deleteItem(db, itemKey);
    await markPosted(db, itemKey);
  }
  await keepOutputs(parts, grant, itemKey, item);
}

/** Annotations are for inputs that are processed, so they may have to wait. */
async function keepOutputs(
  { db, findInput }: CollectorJobParts,
  grant: AppGrant,
  itemKey: number,
  item: CollectorRow & ItemRow,
): Promise<void> {
  const input = await findInput(grant, item.inputId);
  const isWaiting = input !== undefined && onTheWay.has(input.statusCode);
  await db.transaction(async (tx) => {
    if (isWaiting) {
      const runAt = new Date(Date.now() + lookAgainMs);
      return enqueue(tx, {
        kind: collectKind,
        key: String(itemKey),
        payload: { itemKey },
        appKey: grant.appKey,
        runAt,
      });
    }
    if (input?.statusCode === processed) {
      await replaceModelAnnotations(tx, grant, input.key, item.modelVersionKey, unpack(item.output));
      mayDie('collector-annotated');
      await bumpSearchRevision(tx, grant);
    }
    return deleteItem(tx, itemKey);
  });
}

const unpack = (data: Uint8Array): Data => fromBinary(DataSchema, data);

/** Whether a node said anything; the medium that it passes on says nothing. */
export function holdsAnything(data: Data): boolean {
  const {
    concepts,
    regions,
    frames,
    colors,
    clusters,
    embeddings,
    tracks,
    timeSegments,
    heatmaps,
    hits,
    metadata,
    geo,
  } = data;
  const lists = [
    concepts,
    regions,
    frames,
    colors,
    clusters,
    embeddings,
    tracks,
    timeSegments,
    heatmaps,
    hits,
  ];
  return lists.some((list) => list.length > 0) || Boolean(geo) || Object.keys(metadata ?? {}).length > 0;
}
