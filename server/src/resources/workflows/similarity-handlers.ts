import { create } from '@bufbuild/protobuf';
import {
  HitSchema,
  type Input,
  type Output,
  type ServicePart,
  WorkflowResultsSimilaritySchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { scoreOf } from '#engine/vector/score.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, type ItemOutcome, outcomeOf } from '../common/status.ts';
import { eachOf, echoOf } from '../predictions/index.ts';
import type { WorkflowDeps } from './deps.ts';
import { workflowFault } from './faults.ts';
import { readWorkflowAnywhere } from './find.ts';
import { type ReadyNode, readyNodes, runWorkflow } from './run-workflow.ts';
import { findWorkflowVersion } from './version-store.ts';

const inputsMax = 32;
const inputsAtOnce = 4;

export function workflowSimilarityHandlers(
  deps: WorkflowDeps,
): ServicePart<Call, 'postWorkflowResultsSimilarity'> {
  return {
    /** How like each probe the inputs of the pool are, by what one embedding node of the workflow makes of them. */
    async postWorkflowResultsSimilarity(req, call) {
      const { row, grant } = await readWorkflowAnywhere(deps.db, call, req.workflowId);
      const version = await findWorkflowVersion(deps.db, grant, row.key, req.versionId);
      if (req.versionId && !version) throw workflowFault.missingVersion(req.workflowId, req.versionId);
      for (const [field, inputs] of [
        ['probe_inputs', req.probeInputs],
        ['pool_inputs', req.poolInputs],
      ] as const) {
        if (inputs.length === 0)
          throw workflowFault.invalidRequest(`${field} is empty; send 1 to ${inputsMax}.`);
        if (inputs.length > inputsMax) throw commonFault.tooMany(field, inputs.length, inputsMax);
      }
      const nodes = await readyNodes(deps, grant, version);
      const target = targetOf(nodes, req.modelVersionId);
      const embed = (inputs: readonly Input[]) =>
        eachOf(inputs, inputsAtOnce, async (input) => {
          const { outputs, status } = await runWorkflow(deps, call.app, visible(nodes), input, {
            signal: call.signal,
          });
          return { input, status, vectors: vectorsOf(outputs[target]) };
        });
      const [probes, pool] = [await embed(req.probeInputs), await embed(req.poolInputs)];
      const results = probes.map((probe) =>
        create(WorkflowResultsSimilaritySchema, {
          probeInput: echoOf(probe.input),
          poolResults: pool
            .flatMap((one) => {
              const score = likeness(probe.vectors, one.vectors);
              return score === undefined ? [] : [create(HitSchema, { score, input: echoOf(one.input) })];
            })
            .sort((a, b) => b.score - a.score),
        }),
      );
      const outcomes = [...probes, ...pool].map(({ status, vectors }) => {
        const outcome = outcomeOf(status);
        return outcome === true && vectors.length === 0 ? noVector : outcome;
      });
      return { status: batchStatus(outcomes), results };
    },
  };
}

const noVector: ItemOutcome = { description: 'Nothing was embedded of an input.' };

/** The node whose vectors are compared: the one pinned to the version, else the only one that embeds. */
function targetOf(nodes: readonly ReadyNode[], modelVersionId: string): number {
  if (modelVersionId !== '') {
    const at = nodes.findIndex(({ pinned }) => pinned.version.id === modelVersionId);
    if (at >= 0) return at;
    throw workflowFault.invalidRequest(`model_version_id: no node of the workflow runs '${modelVersionId}'.`);
  }
  const embedders = nodes.flatMap(({ pinned }, at) =>
    pinned.model.typeId.endsWith('-embedder') ? [at] : [],
  );
  if (embedders.length === 1) return embedders[0] as number;
  throw workflowFault.invalidRequest(
    `model_version_id is empty, and ${embedders.length} nodes of the workflow make embeddings; name one.`,
  );
}

/** Whether a node is shown matters to those who read results, not here. */
const visible = (nodes: readonly ReadyNode[]): ReadyNode[] =>
  nodes.map((ready) => ({ ...ready, node: { ...ready.node, suppressOutput: false } }));

/** Vectors of the whole input, else of its regions. */
function vectorsOf(output: Output | undefined): readonly (readonly number[])[] {
  const whole = output?.data?.embeddings ?? [];
  const regions = output?.data?.regions.flatMap(({ data }) => data?.embeddings ?? []) ?? [];
  return (whole.length > 0 ? whole : regions).map(({ vector }) => vector);
}

/** That of the two that are most alike; undefined where either has none. */
function likeness(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number | undefined {
  const scores = a.flatMap((one) => b.map((other) => scoreOf('cosine', cosine(one, other))));
  return scores.length === 0 ? undefined : Math.max(...scores);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  let [dot, squaresA, squaresB] = [0, 0, 0];
  a.forEach((value, i) => {
    const other = b[i] ?? 0;
    dot += value * other;
    squaresA += value * value;
    squaresB += other * other;
  });
  return squaresA === 0 || squaresB === 0 ? 0 : dot / Math.sqrt(squaresA * squaresB);
}
