import { create, toBinary } from '@bufbuild/protobuf';
import {
  type Input,
  MultiInputResponseSchema,
  PackedReply,
  type PostInputsRequest,
  type StatusCode,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { inputLevelData } from '../annotations/index.ts';
import { batchStatus, type StatusInit, status, statusOfFault } from '../common/status.ts';
import { type Accepted, addInputs } from './add-inputs.ts';
import type { Wanted } from './conflicts.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { defaultMediaLimits, inputsPerRequestMax, laterTwins } from './input.ts';
import { keepMedium, shaOf } from './media.ts';
import { ownOriginal } from './media-url.ts';
import type { AddJobRow } from './rows.ts';
import { inputOfMedium } from './store.ts';
import { type Draft, type InputLabel, packWritten, readInput, showAddJob, showWritten } from './translate.ts';

/** Files written at the same time for one request. */
const writesAtOnce = 16;

/**
 * Adds up to 128 inputs. Each is judged by itself: what is wrong with one comes back as its status and does not
 * touch the others. Rows, labels, memberships, counters and the jobs that process them commit together; the bytes
 * are in the object store before.
 *
 * @returns a packed reply where nothing was refused
 */
export async function postInputs(deps: InputDeps, req: PostInputsRequest, call: Call) {
  const { inputs } = req;
  if (inputs.length === 0) throw inputFault.invalidRequest('inputs is empty; send 1 to 128 inputs.');
  if (inputs.length > inputsPerRequestMax) {
    throw inputFault.invalidRequest(
      `inputs holds ${inputs.length} items; at most ${inputsPerRequestMax} go into one request.`,
    );
  }
  const faults = new Map<number, Fault>();
  const drafts = readAll(deps, inputs, faults);
  const wanted = await keepBytes(deps, call.app, drafts, faults);
  mayDie('upload-kept');
  const stored = await deps.db.transaction(async (tx) => {
    // A transaction may run again; what it found out the first time is forgotten.
    const refused = new Map<number, Fault>();
    const options = {
      addJobId: req.inputsAddJobId,
      conflictResolution: req.inputIdConflictResolution,
      workerUserKey: call.app.caller.userKey,
    };
    const { accepted, addJob } = await addInputs(deps, tx, call.app, options, wanted, refused);
    const keys = accepted.map(({ row }) => row.key);
    const isLabelled = accepted.some((item) => hasLabel(item.wanted.draft));
    const labels = isLabelled ? await inputLevelData(tx, call.app, keys) : undefined;
    return { refused, accepted, addJob, labels };
  });
  for (const [position, fault] of stored.refused) faults.set(position, fault);
  return reply(deps, call.app, inputs, stored, faults);
}

interface PositionedDraft {
  readonly position: number;
  readonly draft: Draft;
}

function readAll(deps: InputDeps, inputs: readonly Input[], faults: Map<number, Fault>): PositionedDraft[] {
  const limits = { ...defaultMediaLimits, ...deps.limits };
  const twins = laterTwins(inputs.flatMap(({ id }, position) => (id === '' ? [] : [{ position, id }])));
  const drafts: PositionedDraft[] = [];
  inputs.forEach((input, position) => {
    try {
      if (twins.has(position)) throw inputFault.duplicateId();
      drafts.push({ position, draft: readInput(input, limits) });
    } catch (thrown) {
      faults.set(position, faultOr(thrown));
    }
  });
  return drafts;
}

/** Writes the bytes that came along, synced, before anything refers to them. */
async function keepBytes(
  deps: InputDeps,
  grant: AppGrant,
  drafts: readonly PositionedDraft[],
  faults: Map<number, Fault>,
): Promise<Wanted[]> {
  const wanted: (Wanted | undefined)[] = [];
  const waiting = drafts.map((item, at) => ({ item, at }));
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { position, draft } = next.item;
      try {
        wanted[next.at] = { position, draft, sha: await shaOfDraft(deps, grant, draft) };
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        faults.set(position, thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(writesAtOnce, waiting.length) }, work));
  return wanted.filter((item) => item !== undefined);
}

async function shaOfDraft(
  deps: InputDeps,
  grant: AppGrant,
  { kind, url, bytes }: Draft,
): Promise<Buffer | undefined> {
  if (bytes) {
    const sha = shaOf(bytes);
    await keepMedium(deps.objects, 'orig', sha, bytes);
    return sha;
  }
  const sha = ownOriginal(deps.publicUrl(grant), grant, url);
  if (!sha) return undefined;
  if (!(await inputOfMedium(deps.db, grant, kind, sha)))
    throw inputFault.badUrl(url, 'names no medium of this app');
  return sha;
}

interface Stored {
  readonly accepted: readonly Accepted[];
  readonly addJob: AddJobRow | undefined;
  /** Data of the input-level annotations by row key, where there are any worth showing. */
  readonly labels: ReadonlyMap<number, InputLabel> | undefined;
}

const hasLabel = ({ label }: Draft): boolean =>
  label.concepts.length > 0 || label.metadata !== undefined || label.geo !== undefined;

function reply(
  deps: InputDeps,
  grant: AppGrant,
  inputs: readonly Input[],
  { accepted, addJob, labels }: Stored,
  faults: ReadonlyMap<number, Fault>,
) {
  const publicUrl = deps.publicUrl(grant);
  const rows = accepted.map(({ row }) => row);
  const shownJob = addJob ? { inputsAddJob: showAddJob(addJob) } : {};
  if (!labels && accepted.length === inputs.length) {
    const others = toBinary(MultiInputResponseSchema, create(MultiInputResponseSchema, shownJob));
    return new PackedReply(Buffer.concat([packWritten(rows, grant, publicUrl), others]));
  }
  const shown = showWritten(rows, labels, grant, publicUrl);
  const byPosition = new Map(accepted.map(({ wanted }, i) => [wanted.position, shown[i] as Input]));
  return {
    status: batchStatus(
      inputs.map((_, position) => byPosition.has(position) || whyRefused(faults.get(position))),
    ),
    inputs: inputs.map(
      (input, position) => byPosition.get(position) ?? refusedInput(input, faults.get(position)),
    ),
    ...shownJob,
  };
}

const whyRefused = (fault: Fault | undefined): StatusInit =>
  fault ? statusOfFault(fault) : status(30002 as StatusCode);

/** An input that was refused: what came, less its bytes, and why. */
function refusedInput({ id, data }: Input, fault: Fault | undefined) {
  const url = data?.image?.url || data?.video?.url || data?.audio?.url || data?.text?.url || '';
  const kind = (['image', 'video', 'audio', 'text'] as const).find((one) => data?.[one] !== undefined);
  return { id, status: whyRefused(fault), data: kind ? { [kind]: { url } } : {} };
}

function faultOr(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  throw thrown;
}
