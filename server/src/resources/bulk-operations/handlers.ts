import { create } from '@bufbuild/protobuf';
import {
  type BulkOperation,
  BulkOperationSchema,
  type Search,
  type ServicePart,
  StatusSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, statusOfFault, unlessFault } from '../common/status.ts';
import type { BulkParts } from './deps.ts';
import { bulkFault } from './faults.ts';
import { enqueueOperation } from './jobs.ts';
import { isTerminated, operationStatus } from './operation.ts';
import { settleOperation } from './read-operation.ts';
import {
  deleteOperations,
  endOperations,
  insertOperation,
  lockOperations,
  operationsById,
  pageOfOperations,
} from './store.ts';
import { packOperation, showOperation } from './translate.ts';

type Rpc =
  | 'postBulkOperations'
  | 'listBulkOperations'
  | 'getBulkOperation'
  | 'cancelBulkOperations'
  | 'deleteBulkOperations';

const operationsMax = 100;

export function bulkOperationHandlers(parts: BulkParts): ServicePart<Call, Rpc> {
  const { db } = parts;
  return {
    /** Each operation on its own: one that cannot be run does not keep the others from it. */
    async postBulkOperations(req, call) {
      const { bulkOperations: sent } = req;
      if (sent.length === 0) throw bulkFault.invalid('bulk_operations is empty.');
      if (sent.length > operationsMax)
        throw commonFault.tooMany('bulk_operations', sent.length, operationsMax);
      const outcomes: (BulkOperation | Fault)[] = [];
      for (const one of sent) outcomes.push(await addOperation(parts, call.app, one).catch(faultOnly));
      return {
        status: batchStatus(outcomes.map(unlessFault)),
        bulkOperation: outcomes.map((outcome, i) =>
          outcome instanceof Fault
            ? create(BulkOperationSchema, {
                ...(sent[i] as BulkOperation),
                $typeName: undefined,
                status: create(StatusSchema, statusOfFault(outcome)),
              } as never)
            : outcome,
        ),
      };
    },

    async listBulkOperations(req, call) {
      const rows = await pageOfOperations(db, call.app, readPage(req));
      return { bulkOperation: rows.map((row) => showOperation(row, call.app)) };
    },

    async getBulkOperation(req, call) {
      const [row] = await operationsById(db, call.app, [req.id]);
      if (!row) throw bulkFault.missing(req.id);
      return { bulkOperation: showOperation(row, call.app) };
    },

    /** All or none. What was done until then stays done. */
    async cancelBulkOperations(req, call) {
      const keys = await db.transaction(async (tx) => {
        const locked = await lockAll(tx, call.app, req.ids);
        const ended = locked.find(({ statusCode }) => isTerminated(statusCode));
        if (ended)
          throw bulkFault.invalid(`The bulk operation '${ended.id}' has ended (${ended.statusCode}).`);
        const keys = locked.map(({ key }) => key);
        await endOperations(tx, call.app.appKey, keys, operationStatus.cancelled);
        return keys;
      });
      const rows = keys.length === 0 ? [] : await operationsById(db, call.app, req.ids);
      return { bulkOperation: rows.map((row) => showOperation(row, call.app)) };
    },

    async deleteBulkOperations(req, call) {
      await db.transaction(async (tx) => {
        const locked = await lockAll(tx, call.app, req.ids);
        const open = locked.find(({ statusCode }) => !isTerminated(statusCode));
        if (open)
          throw bulkFault.invalid(
            `The bulk operation '${open.id}' has not ended; cancel it before it is deleted.`,
          );
        await deleteOperations(
          tx,
          call.app,
          locked.map(({ key }) => key),
        );
      });
      return {};
    },
  };
}

async function lockAll(tx: Tx, grant: AppGrant, ids: readonly string[]) {
  const locked = await lockOperations(tx, grant, ids);
  const found = new Set(locked.map(({ id }) => id));
  const unknown = ids.find((id) => !found.has(id));
  if (unknown !== undefined) throw bulkFault.missing(unknown);
  return locked;
}

function faultOnly(thrown: unknown): Fault {
  if (thrown instanceof Fault && thrown.kind !== 'internal') return thrown;
  throw thrown;
}

/**
 * Puts an operation into the queue; it is there, and will be run, when this returns.
 *
 * @throws Fault 25404 for one that cannot be run
 */
export async function addOperation(
  parts: BulkParts,
  grant: AppGrant,
  sent: BulkOperation,
): Promise<BulkOperation> {
  const id = sent.id || newId();
  await parts.db.transaction(async (tx) => {
    const settled = await settleOperation(parts, tx, grant, sent);
    const key = await insertOperation(tx, grant, id, packOperation(settled));
    if (key === undefined) throw bulkFault.duplicate(id);
    await enqueueOperation(tx, grant, key);
  });
  const [row] = await operationsById(parts.db, grant, [id]);
  if (!row) throw bulkFault.missing(id);
  return showOperation(row, grant);
}

/** Adds all hits of a search to a dataset, in the background. */
export const addSearchToDataset = (
  parts: BulkParts,
  grant: AppGrant,
  datasetId: string,
  search: Search,
): Promise<BulkOperation> =>
  addOperation(
    parts,
    grant,
    create(BulkOperationSchema, {
      inputSource: { case: 'search', value: search },
      operation: { operation: { case: 'addToDataset', value: { datasetId } } },
    }),
  );
