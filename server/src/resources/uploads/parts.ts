import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { dropParts } from './content.ts';
import type { UploadDeps } from './deps.ts';
import { uploadFault } from './faults.ts';
import { addParts, findUpload, lockUpload, partsLike, type UploadRow } from './store.ts';
import { judgeParts, type Part, partTrouble, uploadStatus } from './upload.ts';

/**
 * Whether these parts could be taken, before their bytes are written.
 *
 * @returns the folder of the upload
 * @throws Fault when there is no such upload, it takes no more, or a part lies outside its content
 */
export async function openPart(
  { db }: UploadDeps,
  grant: AppGrant,
  uploadId: string,
  places: readonly Pick<Part, 'partNumber' | 'rangeStart' | 'sizeBytes'>[],
): Promise<string> {
  const row = await findUpload(db, grant, uploadId);
  if (!row) throw uploadFault.missing(uploadId);
  checkTakesParts(row);
  for (const place of places) {
    const trouble = partTrouble(place, row.contentLength);
    if (trouble) throw uploadFault.invalid(trouble);
  }
  return row.folder;
}

/** A whole upload still answers for its parts: a caller who never heard the answer to the last one sends it again. */
function checkTakesParts(row: UploadRow): void {
  if (row.statusCode === uploadStatus.expired) throw uploadFault.expired(row.id);
  if (row.statusCode === uploadStatus.canceled) throw uploadFault.canceled(row.id);
}

/**
 * Makes parts whose bytes are in the object store part of their upload. What came before, byte for byte, counts
 * once. With the last byte the upload is done, and whoever waits for it goes on in the same transaction.
 *
 * @throws Fault 68006 when a part contradicts what is there; none of them is taken then
 */
export async function takeParts(
  deps: UploadDeps,
  grant: AppGrant,
  uploadId: string,
  folder: string,
  parts: readonly Part[],
): Promise<UploadRow> {
  const taken = new Set<string>();
  try {
    const row = await deps.db.transaction(async (tx) => {
      taken.clear();
      const locked = await lockUpload(tx, grant, uploadId);
      if (!locked) throw uploadFault.missing(uploadId);
      checkTakesParts(locked);
      const judged = judgeParts(await partsLike(tx, grant, locked.key, parts), parts);
      if ('conflict' in judged) throw uploadFault.conflict(judged.conflict);
      for (const { object } of judged.fresh) taken.add(object);
      if (judged.fresh.length === 0) return locked;
      const after = await addParts(tx, grant, locked.key, judged.fresh);
      if (after.statusCode === uploadStatus.done) await deps.onDone?.(tx, grant, locked.key);
      mayDie('part-counted');
      return after;
    });
    await dropParts(
      deps.objects,
      folder,
      parts.filter(({ object }) => !taken.has(object)),
    );
    return row;
  } catch (thrown) {
    // The rows know nothing of these. Where even that is not sure, the sweep tells what belongs to nobody.
    if ((thrown as Error).name === 'Fault') await dropParts(deps.objects, folder, parts);
    throw thrown;
  }
}
