import { availableParallelism } from 'node:os';
import type { Readable } from 'node:stream';
import type { AppGrant } from '#domain/grant.ts';
import { decodeText } from '#engine/text.ts';
import type { JobHandler } from '#jobs/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Deps } from '../common/deps.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { freeMediaHandler, freeMediaKind, sweepMediaHandler, sweepMediaKind } from './free-media.ts';
import type { InputKind } from './input.ts';
import { readOriginal, streamOriginal } from './media.ts';
import { ownOriginal } from './media-url.ts';
import { processHandler, processKind, processMediumKind } from './process.ts';
import { inputOfMedium, inputRows } from './store.ts';

export { type AddOptions, addInputs } from './add-inputs.ts';
export { showAddJobs } from './add-job-handlers.ts';
export { addJobByKey, insertAddJob, shiftCounts } from './add-jobs-store.ts';
export type { Wanted } from './conflicts.ts';
export type { AddJobHooks, ArchiveHooks, Indexed, InputDeps, PictureIndexer } from './deps.ts';
export { framesRoute } from './frames-route.ts';
export { freeingJobs } from './free-media.ts';
export { inputHandlers } from './handlers.ts';
export { bytesMaxOf, defaultMediaLimits, type InputKind, inputIdTrouble, type MediaLimits } from './input.ts';
export { keepMedium, mediaKey, shaOf } from './media.ts';
export { type MediaGrant, type MediaRoute, mediaRoutes } from './media-route.ts';
export { ownOriginal } from './media-url.ts';
export { putPrints } from './prints-store.ts';
export { inputColumns } from './read-store.ts';
export type { AddJobRow } from './rows.ts';
export { type ReadInputs, readInputsInto, showInputs, showKeptMedium } from './show.ts';
export { type FoundInput, findInputs, pictureSizes, textLengths } from './store.ts';
export { type AddJobParts, storedDraft } from './translate.ts';

/** Jobs of this family by kind, for the worker. */
export const inputJobs = (deps: InputDeps): Record<string, JobHandler> => ({
  [processKind]: processHandler(deps),
  [processMediumKind]: {
    ...processHandler(deps),
    batch: 1,
    concurrency: Math.max(2, availableParallelism()),
  },
  [freeMediaKind]: freeMediaHandler(deps),
  [sweepMediaKind]: sweepMediaHandler(deps),
});

/** Jobs of this family that are due again and again. */
export const inputPeriodicJobs = [{ kind: sweepMediaKind, everyMs: 24 * 3_600_000 }];

/** Original bytes of an input, checked against their hash. @throws Fault when there is no such input or it has none */
export async function readImageBytes(
  { db, objects }: Pick<Deps, 'db'> & { objects: ObjectStore },
  grant: AppGrant,
  inputKey: number,
): Promise<Buffer> {
  const [row] = await inputRows(db, grant, [inputKey]);
  if (!row?.mediaSha) throw inputFault.invalid('This input has no stored medium.');
  return readOriginal(objects, grant, row.mediaSha);
}

/** Original bytes of a medium of the app by the URL under which it is hosted here; undefined for every other URL. */
export async function readHosted(
  { db, objects, publicUrl }: Pick<Deps, 'db' | 'publicUrl'> & { objects: ObjectStore },
  grant: AppGrant,
  kind: InputKind,
  url: string,
): Promise<Buffer | undefined> {
  const sha = ownOriginal(publicUrl(grant), grant, url);
  if (!sha || !(await inputOfMedium(db, grant, kind, sha))) return undefined;
  return readOriginal(objects, grant, sha);
}

/** The text of a text input. @returns undefined for other inputs, and for bytes that are no text */
export async function readInputText(
  deps: Pick<Deps, 'db'> & { objects: ObjectStore },
  grant: AppGrant,
  inputKey: number,
): Promise<string | undefined> {
  const [row] = await inputRows(deps.db, grant, [inputKey]);
  if (row?.kind !== 'text' || !row.mediaSha) return undefined;
  return decodeText(await readOriginal(deps.objects, grant, row.mediaSha))?.text;
}

/** The same as a stream, for videos and sounds. @throws Fault as `readImageBytes`; damaged bytes end the stream */
export async function streamMedium(
  { db, objects }: Pick<Deps, 'db'> & { objects: ObjectStore },
  grant: AppGrant,
  inputKey: number,
): Promise<Readable> {
  const [row] = await inputRows(db, grant, [inputKey]);
  if (!row?.mediaSha) throw inputFault.invalid('This input has no stored medium.');
  return streamOriginal(objects, grant, row.mediaSha);
}

/** The original of an input that a dataset version keeps, as a stream; the input itself may be gone. @throws Fault as `streamMedium` */
export async function streamKeptMedium(
  { objects }: { objects: ObjectStore },
  grant: AppGrant,
  { mediaSha }: { mediaSha: Buffer | null },
): Promise<Readable> {
  if (!mediaSha) throw inputFault.invalid('This input has no stored medium.');
  return streamOriginal(objects, grant, mediaSha);
}
