import type { Input, PostInputsRequest, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { inputLevelData, insertInputLevelAnnotations } from '../annotations/index.ts';
import { batchStatus, type StatusInit, status, statusOfFault } from '../common/status.ts';
import { addInputsToDatasets } from '../datasets/index.ts';
import { addPending } from './add-jobs-store.ts';
import { type Wanted, withFreeIds, withFreshUrls, withKnownDatasets } from './conflicts.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { defaultMediaLimits, inputsPerRequestMax, laterTwins } from './input.ts';
import { holdMedia, keepMedium, mediaKey, shaOf } from './media.ts';
import { ownOriginal } from './media-url.ts';
import { type ProcessPayload, processKind } from './process.ts';
import type { AddJobRow, InputRow } from './rows.ts';
import { inputOfMedium, insertInputs } from './store.ts';
import { type Draft, readInput, showAddJob, showInput } from './translate.ts';

interface Accepted {
  readonly wanted: Wanted;
  readonly row: InputRow;
}

/** Inputs of one processing job; a job is the unit of retries and of crash isolation. */
const inputsPerJob = 16;
/** Files written at the same time for one request. */
const writesAtOnce = 16;

/**
 * Adds up to 128 inputs. Each is judged by itself: what is wrong with one comes back as its status and does not
 * touch the others. Rows, labels, memberships, counters and the jobs that process them commit together; the bytes
 * are in the object store before.
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
    return { refused, ...(await storeAll(deps, tx, call, req, wanted, refused)) };
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
  const sha = ownOriginal(deps.publicUrl(), grant, url);
  if (!sha) return undefined;
  if (!(await inputOfMedium(deps.db, grant, kind, sha)))
    throw inputFault.badUrl(url, 'names no medium of this app');
  return sha;
}

async function storeAll(
  deps: InputDeps,
  tx: Tx,
  call: Call,
  req: PostInputsRequest,
  wanted: readonly Wanted[],
  refused: Map<number, Fault>,
) {
  const grant = call.app;
  const held = await holdBytes(deps, tx, wanted, refused);
  const known = await withKnownDatasets(tx, grant, held, refused);
  const single = await withFreshUrls(tx, grant, await withFreeIds(tx, grant, known, req, refused), refused);
  const addJob =
    req.inputsAddJobId === '' ? undefined : await addPending(tx, grant, req.inputsAddJobId, single.length);
  const accepted = await insertAll(tx, grant, addJob, single, refused);
  const counted =
    addJob && accepted.length < single.length
      ? await addPending(tx, grant, addJob.id, accepted.length - single.length)
      : addJob;
  mayDie('upload-stored');
  await insertInputLevelAnnotations(
    tx,
    grant,
    accepted.map(({ row, wanted: { draft } }) => ({
      inputKey: row.key,
      inputId: row.id,
      data: draft.label,
      workerUserKey: grant.caller.userKey,
    })),
  );
  await addInputsToDatasets(
    tx,
    grant,
    accepted.flatMap(({ row, wanted: { draft } }) =>
      draft.datasetIds.map((datasetId) => ({ datasetId, inputKey: row.key })),
    ),
  );
  await enqueue(
    tx,
    jobsFor(
      grant,
      accepted.map(({ row }) => row.key),
    ),
  );
  mayDie('upload-queued');
  const isLabelled = accepted.some(({ wanted: { draft } }) => hasLabel(draft));
  const labels = isLabelled
    ? await inputLevelData(
        tx,
        grant,
        accepted.map(({ row }) => row.key),
      )
    : undefined;
  return { accepted, addJob: counted, labels };
}

const hasLabel = ({ label }: Draft): boolean =>
  label.concepts.length > 0 || label.metadata !== undefined || label.geo !== undefined;

/** From here to the commit nobody frees these media; what was freed a moment ago is written again, or refused. */
async function holdBytes(
  deps: InputDeps,
  tx: Tx,
  wanted: readonly Wanted[],
  refused: Map<number, Fault>,
): Promise<Wanted[]> {
  await holdMedia(
    tx,
    wanted.flatMap(({ sha }) => sha ?? []),
  );
  await Promise.all(
    wanted.map(async ({ position, sha, draft: { bytes, url } }) => {
      if (sha && bytes) await keepMedium(deps.objects, 'orig', sha, bytes);
      else if (sha && !(await deps.objects.stat(mediaKey('orig', sha)))) {
        refused.set(position, inputFault.badUrl(url, 'names no medium of this app'));
      }
    }),
  );
  return wanted.filter(({ position }) => !refused.has(position));
}

async function insertAll(
  tx: Tx,
  grant: AppGrant,
  addJob: AddJobRow | undefined,
  wanted: readonly Wanted[],
  refused: Map<number, Fault>,
): Promise<Accepted[]> {
  const rows = await insertInputs(
    tx,
    grant,
    addJob?.key ?? null,
    wanted.map(({ draft, sha }) => ({
      id: draft.id,
      kind: draft.kind,
      url: draft.url,
      allowDuplicateUrl: draft.allowDuplicateUrl,
      mediaSha: sha ?? null,
      mediaSize: draft.bytes?.length ?? null,
      media: draft.media,
      settings: draft.settings,
    })),
  );
  const rowById = new Map(rows.map((row) => [row.id, row]));
  const accepted: Accepted[] = [];
  for (const item of wanted) {
    const row = rowById.get(item.draft.id);
    // Another request took the id between our look and our insert.
    if (!row) refused.set(item.position, inputFault.duplicateId());
    else accepted.push({ wanted: item, row });
  }
  return accepted;
}

function jobsFor(grant: AppGrant, keys: readonly number[]) {
  const chunks = Array.from({ length: Math.ceil(keys.length / inputsPerJob) }, (_, i) =>
    keys.slice(i * inputsPerJob, (i + 1) * inputsPerJob),
  );
  return chunks.map((inputKeys) => ({
    kind: processKind,
    payload: { inputKeys } satisfies ProcessPayload,
    appKey: grant.appKey,
  }));
}

function reply(
  deps: InputDeps,
  grant: AppGrant,
  inputs: readonly Input[],
  stored: Awaited<ReturnType<typeof storeAll>>,
  faults: ReadonlyMap<number, Fault>,
) {
  const byPosition = new Map(stored.accepted.map((item) => [item.wanted.position, item.row]));
  const shown = inputs.map((input, position) => {
    const row = byPosition.get(position);
    if (row) return showInput(row, stored.labels?.get(row.key), grant, deps.publicUrl());
    return refusedInput(input, faults.get(position));
  });
  return {
    status: batchStatus(inputs.map((_, position) => byPosition.has(position))),
    inputs: shown,
    ...(stored.addJob ? { inputsAddJob: showAddJob(stored.addJob) } : {}),
  };
}

/** An input that was refused: what came, less its bytes, and why. */
function refusedInput({ id, data }: Input, fault: Fault | undefined) {
  const why: StatusInit = fault ? statusOfFault(fault) : status(30002 as StatusCode);
  const url = data?.image?.url || data?.video?.url || data?.audio?.url || data?.text?.url || '';
  const kind = (['image', 'video', 'audio', 'text'] as const).find((one) => data?.[one] !== undefined);
  return { id, status: why, data: kind ? { [kind]: { url } } : {} };
}

function faultOr(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  throw thrown;
}
