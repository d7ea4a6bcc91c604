import { create } from '@bufbuild/protobuf';
import {
  type DatasetInput,
  type Input,
  InputSchema,
  type RequestOf,
  type ServicePart,
  StatusCode,
  StatusSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, type StatusInit, status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import type { DatasetParts } from './deps.ts';
import { datasetFault } from './faults.ts';
import {
  deleteMemberships,
  findDatasetKeys,
  findMembership,
  holdDatasets,
  holdMembers,
  insertMemberships,
  type MembershipRow,
  pageOfMembers,
} from './membership-store.ts';
import { findDataset } from './store.ts';

type Rpc = 'listDatasetInputs' | 'getDatasetInput' | 'postDatasetInputs' | 'deleteDatasetInputs';

const inputsMax = 1000;

/** What inputs are in a dataset. */
export function memberHandlers(parts: DatasetParts): ServicePart<Call, Rpc> {
  const { db, findInputs, showInputs } = parts;
  return {
    async listDatasetInputs(req, call) {
      const dataset = await readDatasetRow(call.app, req.datasetId);
      return {
        datasetInputs: await show(call.app, await pageOfMembers(db, call.app, dataset.key, readPage(req))),
      };
    },

    async getDatasetInput(req, call) {
      const dataset = await readDatasetRow(call.app, req.datasetId);
      const [input] = await findInputs(db, call.app, [req.inputId]);
      const member = input && (await findMembership(db, call.app, dataset.key, input.key));
      const [datasetInput] = member ? await show(call.app, [member]) : [];
      if (!datasetInput) throw datasetFault.missingInput(req.inputId, req.datasetId);
      return { datasetInput };
    },

    async postDatasetInputs(req, call) {
      await readDatasetRow(call.app, req.datasetId);
      if (req.search) return addSearched(req, call);
      if (req.datasetInputs.length > inputsMax) {
        throw commonFault.tooMany('dataset_inputs', req.datasetInputs.length, inputsMax);
      }
      return addNamed(call.app, req.datasetId, req.datasetInputs);
    },

    /** Takes inputs out; those that are not in it, or not at all, are ignored (SEMANTICS 8). */
    async deleteDatasetInputs(req, call) {
      const dataset = await readDatasetRow(call.app, req.datasetId);
      const inputs = await findInputs(db, call.app, req.inputIds);
      const keys = inputs.map(({ key }) => key);
      await db.transaction(async (tx) => {
        if ((await deleteMemberships(tx, call.app, dataset.key, keys)) > 0)
          await bumpSearchRevision(tx, call.app);
      });
      return {};
    },
  };

  async function readDatasetRow(grant: AppGrant, id: string) {
    const dataset = await findDataset(db, grant, id);
    if (!dataset) throw datasetFault.missing(id);
    return dataset;
  }

  /** One by one: an input that is missing or in already does not keep the others out (SEMANTICS 1.5). */
  async function addNamed(grant: AppGrant, datasetId: string, sent: readonly DatasetInput[]) {
    const ids = sent.map(({ input }) => input?.id ?? '');
    const { keyOf, added } = await db.transaction(async (tx) => {
      const datasetKey = (await holdDatasets(tx, grant, [datasetId])).get(datasetId);
      if (datasetKey === undefined) throw datasetFault.missing(datasetId);
      const found = await findInputs(tx, grant, [...new Set(ids.filter((id) => id !== ''))]);
      const held = await holdMembers(
        tx,
        grant,
        found.map(({ key }) => key),
      );
      const known = found.filter(({ key }) => held.has(key));
      const pairs = known.map(({ key }) => ({ datasetKey, inputKey: key }));
      const added = await insertMemberships(tx, grant, pairs);
      if (added.length > 0) await bumpSearchRevision(tx, grant);
      return { keyOf: new Map(known.map(({ id, key }) => [id, key])), added };
    });
    const shown = new Map((await show(grant, added)).map((item) => [item.input.id, item]));
    const outcomes = ids.map((id) => {
      const item = shown.get(id);
      // Only the first mention of an id in a request adds it.
      shown.delete(id);
      const isAdded = item !== undefined;
      const outcome = isAdded
        ? status(StatusCode.DATASET_INPUT_SUCCESS)
        : keyOf.has(id)
          ? duplicate(id)
          : missing(id);
      return {
        outcome: isAdded || outcome,
        createdAt: item?.createdAt,
        input: withStatus(item?.input ?? create(InputSchema, { id }), outcome),
      };
    });
    return {
      status: batchStatus(outcomes.map(({ outcome }) => outcome)),
      datasetInputs: outcomes.map(({ createdAt, input }) => ({ createdAt, input })),
    };
  }

  /** Answered at once; the adding goes on in the background (SEMANTICS trap 46). */
  async function addSearched(req: RequestOf<'postDatasetInputs'>, call: Call) {
    const search = req.search as NonNullable<typeof req.search>;
    parts.searches.check(search);
    const ids = search.query?.filters.flatMap(({ input }) => input?.datasetIds ?? []) ?? [];
    const keys = await findDatasetKeys(db, call.app, ids);
    const unknown = ids.find((id) => !keys.has(id));
    if (unknown !== undefined) throw datasetFault.missing(unknown);
    return { datasetInputs: [], bulkOperation: await parts.addSearch(call.app, req.datasetId, search) };
  }

  async function show(grant: AppGrant, members: readonly MembershipRow[]) {
    const shown = await showInputs(
      grant,
      members.map(({ inputKey }) => inputKey),
    );
    const byId = new Map(shown.map((input) => [input.id, input]));
    return members.flatMap(({ inputId, createdAt }) => {
      const input = byId.get(inputId);
      return input ? [{ createdAt: showTime(createdAt), input }] : [];
    });
  }
}

/** The outcome travels in the input's status: a dataset input has none of its own. */
const withStatus = (input: Input, outcome: StatusInit): Input => ({
  ...input,
  status: create(StatusSchema, outcome),
});
const duplicate = (id: string): StatusInit =>
  status(StatusCode.DATASET_INPUT_DUPLICATE, `duplicate: the input '${id}' is in the dataset already.`);
const missing = (id: string): StatusInit =>
  status(
    StatusCode.CONN_DOES_NOT_EXIST,
    id === '' ? 'dataset_inputs[].input.id is empty.' : `There is no input '${id}' in this app.`,
  );
