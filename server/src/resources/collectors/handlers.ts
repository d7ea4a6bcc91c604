import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type APIPostModelOutputsCollectorSource,
  type Collector,
  CollectorSchema,
  type ServicePart,
  type StatusCode,
  StatusSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { userKeys } from '../annotations/index.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import type { CollectorParts } from './deps.ts';
import { collectorFault } from './faults.ts';
import {
  type CollectorFields,
  type CollectorRow,
  collectorStatus,
  deleteCollectors,
  findCollector,
  insertCollector,
  lockCollector,
  pageOfCollectors,
  updateCollector,
} from './store.ts';

type Rpc = 'postCollectors' | 'getCollector' | 'listCollectors' | 'patchCollectors' | 'deleteCollectors';

const collectorsMax = 128;
const sourcePath = 'collector_source.api_post_model_outputs_collector_source';

/** Collectors. Each request is all or nothing. */
export function collectorHandlers(parts: CollectorParts): ServicePart<Call, Rpc> {
  const { db, sealer } = parts;

  /** Checks a collector as it is to be, and looks up what it names. `sealed` stands in where no key is sent. */
  async function settle(
    call: Call,
    collector: Collector,
    sealed: Buffer | undefined,
  ): Promise<CollectorFields> {
    checkQueues(collector);
    for (const id of [collector.preQueueWorkflowId, collector.postQueueWorkflowId])
      if (id !== '') await parts.checkWorkflow(call, id);
    const source = collector.collectorSource?.apiPostModelOutputsCollectorSource;
    if (!source) throw collectorFault.invalid(`${sourcePath} is missing; say what is to be collected.`);
    if (source.modelId === '' || source.modelVersionId === '')
      throw collectorFault.invalid(`${sourcePath} needs model_id and model_version_id.`);
    const version = await parts.findModelVersion(call, {
      userId: source.modelUserId,
      appId: source.modelAppId,
      modelId: source.modelId,
      versionId: source.modelVersionId,
    });
    const callerUserKey = await callerOf(call, source, version.ownerKey);
    const statusCode = collector.status?.code || collectorStatus.active;
    if (statusCode !== collectorStatus.active && statusCode !== collectorStatus.inactive)
      throw collectorFault.invalid(`status.code is ${statusCode}; use 52001 (active) or 52002 (inactive).`);
    return {
      body: pack(collector),
      statusCode,
      modelVersionKey: version.key,
      callerUserKey,
      sealedKey: await checkedKey(call, source.postInputsKeyId, sealed),
    };
  }

  /** Others' predictions are for the owner of the model alone to collect. */
  async function callerOf(call: Call, source: APIPostModelOutputsCollectorSource, modelOwnerKey: number) {
    const { userKey, userId } = call.app;
    if (source.callerUserId === '' || source.callerUserId === userId) return userKey;
    if (source.callerUserId === 'me' || source.callerUserId === call.caller.userId)
      return call.caller.userKey;
    const key = (await userKeys(db, [source.callerUserId])).get(source.callerUserId);
    if (key === undefined || modelOwnerKey !== userKey)
      throw collectorFault.invalid(
        `${sourcePath}.caller_user_id: '${source.callerUserId}' is no user whose predictions you may collect.`,
      );
    return key;
  }

  async function checkedKey(call: Call, secret: string, sealed: Buffer | undefined): Promise<Buffer> {
    const field = `${sourcePath}.post_inputs_key_id`;
    if (secret === '' && sealed) return sealed;
    if (secret === '') throw collectorFault.invalid(`${field} is missing; inputs are posted with that key.`);
    try {
      await parts.keyGrant(secret, call.app);
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown;
      throw collectorFault.invalid(`${field}: with this key inputs cannot be posted here: ${thrown.details}`);
    }
    return sealer.seal(secret);
  }

  function checkCount(sent: readonly Collector[]): void {
    if (sent.length === 0) throw collectorFault.invalid('collectors is empty.');
    if (sent.length > collectorsMax) throw commonFault.tooMany('collectors', sent.length, collectorsMax);
  }

  return {
    async postCollectors(req, call) {
      checkCount(req.collectors);
      const settled: { id: string; fields: CollectorFields }[] = [];
      for (const sent of req.collectors) {
        const trouble = idTrouble(sent.id, 'collector');
        if (trouble) throw collectorFault.invalid(trouble);
        settled.push({ id: sent.id || newId(), fields: await settle(call, sent, undefined) });
      }
      const made = await db.transaction(async (tx) => {
        const rows: CollectorRow[] = [];
        for (const { id, fields } of settled) {
          const row = await insertCollector(tx, call.app, id, fields);
          if (!row) throw collectorFault.duplicate(id);
          rows.push(row);
        }
        return rows;
      });
      return { collectors: made.map(show) };
    },

    async getCollector(req, call) {
      const row = await findCollector(db, call.app, req.collectorId);
      if (!row) throw collectorFault.missing(req.collectorId);
      return { collector: show(row) };
    },

    async listCollectors(req, call) {
      return { collectors: (await pageOfCollectors(db, call.app, readPage(req))).map(show) };
    },

    /** What is not sent stays. */
    async patchCollectors(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      checkCount(req.collectors);
      const raws = (call.sent?.collectors as Record<string, unknown>[] | undefined) ?? [];
      const changed = await db.transaction(async (tx) => {
        const rows: CollectorRow[] = [];
        for (const [i, sent] of req.collectors.entries()) {
          const before = await lockCollector(tx, call.app, sent.id);
          if (!before) throw collectorFault.missing(sent.id);
          const fields = await settle(call, patched(before, sent, raws[i] ?? {}), before.sealedKey);
          rows.push((await updateCollector(tx, call.app, before.key, fields)) as CollectorRow);
        }
        return rows;
      });
      return { collectors: changed.map(show) };
    },

    /** What waits on them is dropped; what was collected stays. */
    async deleteCollectors(req, call) {
      if (!req.deleteAll && req.ids.length === 0) return {};
      await db.transaction(async (tx) => {
        const gone = await deleteCollectors(tx, call.app, req.deleteAll ? undefined : req.ids);
        const unknown = req.deleteAll ? undefined : req.ids.find((id) => !gone.has(id));
        if (unknown !== undefined) throw collectorFault.missing(unknown);
      });
      return {};
    },
  };
}

function checkQueues({ preQueueWorkflowId, preQueueRandomSample, postQueueWorkflowId }: Collector): void {
  if (preQueueWorkflowId === '' && postQueueWorkflowId === '' && preQueueRandomSample === 0)
    throw collectorFault.invalid(
      'Send pre_queue_workflow_id, pre_queue_random_sample or post_queue_workflow_id; without any, all would be collected.',
    );
  if (preQueueWorkflowId !== '' && preQueueRandomSample !== 0)
    throw collectorFault.invalid('Send pre_queue_workflow_id or pre_queue_random_sample, not both.');
  if (!(preQueueRandomSample >= 0 && preQueueRandomSample <= 1))
    throw collectorFault.invalid(
      `pre_queue_random_sample is ${preQueueRandomSample}; it goes from above 0 to 1.`,
    );
}

/** The key is a secret, kept sealed elsewhere; status and times have columns of their own. */
function pack(collector: Collector): Buffer {
  const source = collector.collectorSource?.apiPostModelOutputsCollectorSource;
  const body = create(CollectorSchema, {
    description: collector.description,
    preQueueWorkflowId: collector.preQueueWorkflowId,
    preQueueRandomSample: collector.preQueueRandomSample,
    postQueueWorkflowId: collector.postQueueWorkflowId,
    collectOutputs: collector.collectOutputs,
    collectorSource: {
      apiPostModelOutputsCollectorSource: { ...source, $typeName: undefined, postInputsKeyId: '' } as never,
    },
  });
  return Buffer.from(toBinary(CollectorSchema, body));
}

function patched(before: CollectorRow, sent: Collector, raw: Record<string, unknown>): Collector {
  const kept = fromBinary(CollectorSchema, before.body);
  // One way of choosing before the queue takes the place of the other.
  const choosesAnew = sent.preQueueWorkflowId !== '' || sent.preQueueRandomSample !== 0;
  return {
    ...kept,
    description: sent.description !== '' || 'description' in raw ? sent.description : kept.description,
    preQueueWorkflowId: choosesAnew ? sent.preQueueWorkflowId : kept.preQueueWorkflowId,
    preQueueRandomSample: choosesAnew ? sent.preQueueRandomSample : kept.preQueueRandomSample,
    postQueueWorkflowId: sent.postQueueWorkflowId || kept.postQueueWorkflowId,
    collectOutputs:
      sent.collectOutputs || 'collect_outputs' in raw ? sent.collectOutputs : kept.collectOutputs,
    collectorSource: sent.collectorSource ?? kept.collectorSource,
    status: sent.status ?? create(StatusSchema, { code: before.statusCode as StatusCode }),
  };
}

export const unpackCollector = (row: Pick<CollectorRow, 'body'>): Collector =>
  fromBinary(CollectorSchema, row.body);

function show(row: CollectorRow): Collector {
  return {
    ...unpackCollector(row),
    id: row.id,
    createdAt: showTime(row.createdAt),
    status: create(StatusSchema, status(row.statusCode as StatusCode, row.statusDetails)),
  };
}
