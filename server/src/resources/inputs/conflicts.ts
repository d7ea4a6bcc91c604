import { InputIDConflictResolution } from '@fovea/contract';
import type { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { Tx } from '#store/postgres/index.ts';
import { findDatasetKeys } from '../datasets/index.ts';
import { inputFault } from './faults.ts';
import { suffixedIds } from './input.ts';
import { lockUrls, takenIds, takenUrls } from './store.ts';
import type { Draft } from './translate.ts';

/** One input of a request on its way: checked, with its bytes in the object store. */
export interface Wanted {
  readonly position: number;
  readonly draft: Draft;
  readonly sha: Buffer | undefined;
  /** Of bytes that are in the object store but not at hand. */
  readonly sizeBytes?: number;
}

/** Refuses inputs that name a dataset which does not exist. */
export async function withKnownDatasets(
  tx: Tx,
  grant: AppGrant,
  wanted: readonly Wanted[],
  refused: Map<number, Fault>,
) {
  const asked = [...new Set(wanted.flatMap(({ draft }) => draft.datasetIds))];
  if (asked.length === 0) return wanted;
  const keys = await findDatasetKeys(tx, grant, asked);
  return wanted.filter(({ position, draft }) => {
    const missing = draft.datasetIds.find((id) => !keys.has(id));
    if (missing !== undefined) refused.set(position, inputFault.noSuchDataset(missing));
    return missing === undefined;
  });
}

/** Refuses ids that are taken, or finds others for them (InputIDConflictResolution). */
export async function withFreeIds(
  tx: Tx,
  grant: AppGrant,
  wanted: readonly Wanted[],
  resolution: InputIDConflictResolution,
  refused: Map<number, Fault>,
): Promise<Wanted[]> {
  const own = wanted.filter(({ draft }) => draft.hasOwnId).map(({ draft }) => draft.id);
  const taken = await takenIds(tx, grant, own);
  if (taken.size === 0) return [...wanted];
  if (resolution !== InputIDConflictResolution.SUFFIX) {
    return wanted.filter(({ position, draft }) => {
      if (taken.has(draft.id)) refused.set(position, inputFault.duplicateId());
      return !taken.has(draft.id);
    });
  }
  const candidates = await takenIds(tx, grant, [...taken].flatMap(suffixedIds));
  const used = new Set([...candidates, ...own]);
  return wanted.map((item) => {
    if (!taken.has(item.draft.id)) return item;
    const id =
      suffixedIds(item.draft.id).find((one) => !used.has(one)) ?? `${item.draft.id}-${newId().slice(0, 12)}`;
    used.add(id);
    return { ...item, draft: { ...item.draft, id } };
  });
}

/** Refuses URLs that the app has already, or that came earlier in the request, unless duplicates are allowed. */
export async function withFreshUrls(
  tx: Tx,
  grant: AppGrant,
  wanted: readonly Wanted[],
  refused: Map<number, Fault>,
) {
  const judged = wanted
    .map(({ draft }) => draft)
    .filter(({ url, allowDuplicateUrl }) => url !== '' && !allowDuplicateUrl);
  await lockUrls(
    tx,
    grant,
    judged.map(({ url }) => url),
  );
  const known = await takenUrls(
    tx,
    grant,
    judged.map(({ url }) => url),
  );
  return wanted.filter(({ position, draft: { url, allowDuplicateUrl } }) => {
    if (url === '') return true;
    const isDuplicate = !allowDuplicateUrl && known.has(url);
    if (isDuplicate) refused.set(position, inputFault.duplicateUrl(url));
    known.add(url);
    return !isDuplicate;
  });
}
