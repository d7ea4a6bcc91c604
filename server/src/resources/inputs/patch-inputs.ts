import { create } from '@bufbuild/protobuf';
import {
  type Data,
  DataSchema,
  type Input,
  InputSchema,
  type PatchInputsRequest,
  StatusCode,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { PatchAction } from '#domain/patch.ts';
import type { Tx } from '#store/postgres/index.ts';
import { bumpSearchRevision, patchInputLevel } from '../annotations/index.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, status, statusOfFault } from '../common/status.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputsPerRequestMax } from './input.ts';
import { showInputs } from './show.ts';
import { findInputs, lockInputs, touchInput } from './store.ts';

const actions: readonly PatchAction[] = ['merge', 'overwrite', 'remove'];

/**
 * Patches concepts, metadata and geo of inputs; their media stay as they are. Each input succeeds or fails by
 * itself, all in one transaction with a savepoint each. Inputs are taken in key order, so that two batches over
 * the same inputs cannot block each other.
 */
export async function patchInputs(deps: InputDeps, req: PatchInputsRequest, call: Call) {
  const action = (req.action || 'merge') as PatchAction;
  if (!actions.includes(action)) throw commonFault.unknownAction(req.action, actions);
  if (req.inputs.length > inputsPerRequestMax) {
    throw inputFault.invalidRequest(
      `inputs holds ${req.inputs.length} items; at most ${inputsPerRequestMax} go into one request.`,
    );
  }
  const grant = call.app;
  const found = new Map(
    (
      await findInputs(
        deps.db,
        grant,
        req.inputs.map(({ id }) => id),
      )
    ).map((row) => [row.id, row.key]),
  );
  const ordered = req.inputs
    .map((input, position) => ({ input, position, key: found.get(input.id) }))
    .sort((a, b) => (a.key ?? 0) - (b.key ?? 0));
  const faults = await deps.db.transaction(async (tx) => {
    const refused = new Map<number, Fault>();
    // Inputs before their annotations, as processing does; the other way round the two could block each other.
    await lockInputs(tx, grant, [...found.values()]);
    for (const { input, position, key } of ordered) {
      const sent = sentDataOf(call, position);
      const fault = await patchOne(tx, call, action, input, key, sent);
      mayDie('patch-half');
      if (fault) refused.set(position, fault);
    }
    if (refused.size < ordered.length) await bumpSearchRevision(tx, grant);
    return refused;
  });
  const shown = new Map(
    (await showInputs(deps, grant, [...found.values()])).map((input) => [input.id, input]),
  );
  return {
    status: batchStatus(req.inputs.map((_, position) => !faults.has(position))),
    inputs: req.inputs.map((input, position) => {
      const fault = faults.get(position);
      if (fault) return create(InputSchema, { id: input.id, data: {}, status: statusOfFault(fault) });
      const { data, createdAt, modifiedAt } = shown.get(input.id) ?? {};
      return create(InputSchema, {
        id: input.id,
        data,
        createdAt,
        modifiedAt,
        status: status(StatusCode.INPUT_MODIFY_SUCCESS),
      });
    }),
  };
}

async function patchOne(
  tx: Tx,
  call: Call,
  action: PatchAction,
  input: Input,
  key: number | undefined,
  sent: unknown,
) {
  if (key === undefined) return inputFault.missing(input.id);
  const data: Data = input.data ?? create(DataSchema);
  await tx.query('savepoint patched');
  try {
    await patchInputLevel(tx, call.app, key, action, data, sent);
    await touchInput(tx, call.app, key);
    await tx.query('release savepoint patched');
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    await tx.query('rollback to savepoint patched');
    return thrown;
  }
}

/** The JSON of one input's `data` as it was sent; undefined over gRPC. */
function sentDataOf(call: Call, position: number): unknown {
  const inputs = call.sent?.inputs;
  return Array.isArray(inputs) ? (inputs[position] as { data?: unknown } | undefined)?.data : undefined;
}
