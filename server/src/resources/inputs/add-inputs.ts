import type { InputIDConflictResolution } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type NewJob } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { insertInputLevelAnnotations } from '../annotations/index.ts';
import { addInputsToDatasets } from '../datasets/index.ts';
import { addPending } from './add-jobs-store.ts';
import { type Wanted, withFreeIds, withFreshUrls, withKnownDatasets } from './conflicts.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { holdMedia, keepMedium, mediaKey } from './media.ts';
import { type ProcessPayload, processKind, processKindOf, processMediumKind } from './process.ts';
import type { AddJobRow, InputRow } from './rows.ts';
import { insertInputs } from './store.ts';

export interface Accepted {
  readonly wanted: Wanted;
  readonly row: InputRow;
}

/** Inputs of one processing job; a job is the unit of retries and of crash isolation. */
const inputsPerJob = 16;

export interface AddOptions {
  /** Job that counts the inputs, made where there is none; '' for none. */
  readonly addJobId: string;
  readonly conflictResolution: InputIDConflictResolution;
  /** Who is shown as the worker of the labels. */
  readonly workerUserKey: number;
  /** Of the jobs that process the inputs; larger runs first. Default 0. */
  readonly priority?: number;
}

/**
 * Adds inputs whose bytes are in the object store, with their labels, memberships, counters and the jobs that
 * process them, in the caller's transaction. Ids are distinct within `wanted`.
 *
 * @param refused gets what is wrong with an input, by its position; it does not touch the others
 */
export async function addInputs(
  deps: InputDeps,
  tx: Tx,
  grant: AppGrant,
  options: AddOptions,
  wanted: readonly Wanted[],
  refused: Map<number, Fault>,
): Promise<{ accepted: Accepted[]; addJob: AddJobRow | undefined }> {
  const held = await holdBytes(deps, tx, wanted, refused);
  const known = await withKnownDatasets(tx, grant, held, refused);
  const free = await withFreeIds(tx, grant, known, options.conflictResolution, refused);
  const single = await withFreshUrls(tx, grant, free, refused);
  const addJob =
    options.addJobId === '' ? undefined : await addPending(tx, grant, options.addJobId, single.length);
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
      workerUserKey: options.workerUserKey,
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
      accepted.map(({ row }) => row),
      options.priority ?? 0,
    ),
  );
  mayDie('upload-queued');
  return { accepted, addJob: counted };
}

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
    wanted.map(async ({ position, sha, sizeBytes, draft: { bytes, url } }) => {
      if (sha && bytes) await keepMedium(deps.objects, 'orig', sha, bytes);
      else if (sha && !(await deps.objects.stat(mediaKey('orig', sha)))) {
        if (sizeBytes !== undefined)
          throw new Error('A medium was freed while it was being added; once more.');
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
    wanted.map(({ draft, sha, sizeBytes }) => ({
      id: draft.id,
      kind: draft.kind,
      url: draft.url,
      allowDuplicateUrl: draft.allowDuplicateUrl,
      mediaSha: sha ?? null,
      mediaSize: draft.bytes?.length ?? sizeBytes ?? null,
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

/** Jobs that process new inputs; each video or sound has one of its own. */
function jobsFor(
  grant: AppGrant,
  inputs: readonly Pick<InputRow, 'key' | 'kind'>[],
  priority: number,
): NewJob[] {
  const keysOf = (kind: string) =>
    inputs.filter((input) => processKindOf(input.kind) === kind).map(({ key }) => key);
  const pictures = keysOf(processKind);
  const chunks = Array.from({ length: Math.ceil(pictures.length / inputsPerJob) }, (_, i) =>
    pictures.slice(i * inputsPerJob, (i + 1) * inputsPerJob),
  );
  const job = (kind: string, inputKeys: number[]): NewJob => ({
    kind,
    payload: { inputKeys } satisfies ProcessPayload,
    appKey: grant.appKey,
    priority,
  });
  return [
    ...chunks.map((keys) => job(processKind, keys)),
    ...keysOf(processMediumKind).map((key) => job(processMediumKind, [key])),
  ];
}
