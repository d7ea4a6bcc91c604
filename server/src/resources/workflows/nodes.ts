import { StatusCode, type WorkflowNode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { grantNamed, mainGrant, type PinnedModel, readTrainedVersion } from '../models/index.ts';
import { workflowFault } from './faults.ts';
import { runningOrder } from './graph.ts';
import { checkTypes } from './node-types.ts';
import { pinnedNode } from './translate.ts';

const nodesMax = 100;

/** Nodes that may be kept: in running order, each pinned to a model version that the caller may use. */
export async function pinNodes(
  db: Db,
  call: Call,
  nodes: readonly WorkflowNode[],
): Promise<{ nodes: WorkflowNode[]; modelVersionKeys: number[] }> {
  if (nodes.length > nodesMax)
    throw workflowFault.invalid(`nodes holds ${nodes.length} nodes; at most ${nodesMax} make a workflow.`);
  const ordered = runningOrder(
    nodes.map((node) => ({ id: node.id, inputs: node.nodeInputs.map((input) => input.nodeId), node })),
  );
  const pinned: WorkflowNode[] = [];
  const modelVersionKeys: number[] = [];
  for (const { node } of ordered) {
    const found = await findPinned(db, call, node);
    pinned.push(pinnedNode(node, found));
    modelVersionKeys.push(found.version.key);
  }
  checkTypes(
    ordered.map(({ id, inputs }, at) => ({ id, inputs, typeId: pinned[at]?.model?.modelTypeId ?? '' })),
  );
  return { nodes: pinned, modelVersionKeys };
}

/** In the app the node names, else in the workflow's own, else among the platform's models. */
async function findPinned(db: Db, call: Call, node: WorkflowNode): Promise<PinnedModel> {
  const { model } = node;
  if (!model?.id) throw workflowFault.invalid(`nodes: '${node.id}' names no model.`);
  const read = async (grant: AppGrant) =>
    readTrainedVersion(db, grant, model.id, model.modelVersion?.id ?? '');
  try {
    if (model.appId) return await read(await grantNamed(call, model));
    return await read(call.app).catch(async (fault) => {
      const main = isMissing(fault) ? await mainGrant(call) : undefined;
      if (!main) throw fault;
      return read(main).catch(() => Promise.reject(fault));
    });
  } catch (fault) {
    if (fault instanceof Fault && untrainedCodes.includes(fault.code))
      throw workflowFault.untrained(node.id, model.id);
    throw fault;
  }
}

const untrainedCodes: number[] = [
  StatusCode.MODEL_UNTRAINED,
  StatusCode.MODEL_QUEUED_FOR_TRAINING,
  StatusCode.MODEL_TRAINING,
];
const isMissing = (fault: unknown): boolean =>
  fault instanceof Fault && fault.code === StatusCode.MODEL_DOES_NOT_EXIST;
