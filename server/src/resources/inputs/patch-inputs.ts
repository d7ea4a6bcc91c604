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
import type { Fault } from '#domain/fault.ts';
import type { PatchAction } from '#domain/patch.ts';
import type { Tx } from '#store/postgres/index.ts';
import { bumpSearchRevision, patchInputLevels } from '../annotations/index.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, status, statusOfFault, unlessFault } from '../common/status.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputsPerRequestMax } from './input.ts';
import { showInputs } from './show.ts';
import { findInputs, lockInputs, touchInputs } from './store.ts';

const actions: readonly PatchAction[] = ['merge', 'overwrite', 'remove'];

/**
 * Patches concepts, metadata and geo of inputs; their media stay as they are. Each input succeeds or fails by
 * itself, all in one transaction; one that would stay as it is succeeds and is not written. Inputs are locked in key order, so that two batches over the same inputs cannot
 * block each other.
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
  const ids = req.inputs.map(({ id }) => id);
  const found = new Map((await findInputs(deps.db, grant, ids)).map((row) => [row.id, row.key]));
  const faults = await deps.db.transaction(async (tx) => {
    const refused = new Map<number, Fault>();
    // Inputs before their annotations, as processing does; the other way round the two could block each other.
    await lockInputs(tx, grant, [...found.values()]);
    let changed = 0;
    for (const turn of turnsOf(req.inputs))
      changed += await patchTurn(tx, call, action, turn, found, refused);
    if (changed > 0) await bumpSearchRevision(tx, grant);
    return refused;
  });
  const shown = new Map(
    (await showInputs(deps, grant, [...found.values()])).map((input) => [input.id, input]),
  );
  return {
    status: batchStatus(req.inputs.map((_, position) => unlessFault(faults.get(position)))),
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

interface Positioned {
  readonly position: number;
  readonly input: Input;
}

/** Inputs in the order sent, such that none comes twice in a turn: one that is named again is patched after the first time. */
function turnsOf(inputs: readonly Input[]): Positioned[][] {
  const turns: Positioned[][] = [];
  const timesOf = new Map<string, number>();
  inputs.forEach((input, position) => {
    const times = timesOf.get(input.id) ?? 0;
    timesOf.set(input.id, times + 1);
    turns[times] ??= [];
    turns[times].push({ position, input });
  });
  return turns;
}

/** @returns how many inputs changed */
async function patchTurn(
  tx: Tx,
  call: Call,
  action: PatchAction,
  turn: readonly Positioned[],
  found: ReadonlyMap<string, number>,
  refused: Map<number, Fault>,
): Promise<number> {
  const known = turn.flatMap(({ position, input }) => {
    const inputKey = found.get(input.id);
    if (inputKey === undefined) refused.set(position, inputFault.missing(input.id));
    const data: Data = input.data ?? create(DataSchema);
    return inputKey === undefined ? [] : [{ position, inputKey, data, sent: sentDataOf(call, position) }];
  });
  const { changed, faults } = await patchInputLevels(tx, call.app, action, known);
  mayDie('patch-half');
  for (const { position, inputKey } of known) {
    const fault = faults.get(inputKey);
    if (fault) refused.set(position, fault);
  }
  await touchInputs(tx, call.app, changed);
  return changed.length;
}

/** The JSON of one input's `data` as it was sent; undefined over gRPC. */
function sentDataOf(call: Call, position: number): unknown {
  const inputs = call.sent?.inputs;
  return Array.isArray(inputs) ? (inputs[position] as { data?: unknown } | undefined)?.data : undefined;
}
