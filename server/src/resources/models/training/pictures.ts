import { DataSchema, type Region, StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { DenseRecipe } from '#engine/index.ts';
import { unpackBody } from '../../common/translate.ts';
import { picturesAfter, type RegionRow, regionPages } from './data-store.ts';
import type { Frame } from './frame.ts';
import { TrainingTrouble } from './trouble.ts';

/** A picture with the regions that people marked in it. */
export interface MarkedPicture {
  readonly inputKey: number;
  readonly regions: readonly { readonly region: Region; readonly conceptIds: readonly string[] }[];
}

const computedAtOnce = 4;
/** Cells of this many pictures teach as much as those of more would, and are learnt in minutes. */
export const picturesMax = 4_000;

/** All marked pictures of the scope; of very many, ones spread evenly over them. */
export async function markedPictures(
  { deps, grant, scope, progress }: Frame,
  conceptIds: readonly string[],
  isUsable: (region: Region) => boolean,
): Promise<MarkedPicture[]> {
  let found: MarkedPicture[] = [];
  let total = 0;
  let every = 1;
  for await (const rows of regionPages(deps.db, grant, scope, conceptIds)) {
    progress.signal.throwIfAborted();
    for (const picture of grouped(rows, isUsable)) {
      if (picture.regions.length === 0) continue;
      if (total % every === 0) found.push(picture);
      total += 1;
    }
    // Kept small while it is read: of every second, every fourth …
    while (found.length > 2 * picturesMax) {
      found = found.filter((_, index) => index % 2 === 0);
      every *= 2;
    }
  }
  const kept = evenly(found, picturesMax);
  if (kept.length < total)
    progress.note(`${total} pictures are marked; ${kept.length} of them are learned from`);
  return kept;
}

function grouped(rows: readonly RegionRow[], isUsable: (region: Region) => boolean): MarkedPicture[] {
  const pictures = new Map<number, MarkedPicture['regions'][number][]>();
  for (const { inputKey, data, conceptIds } of rows) {
    const region = unpackBody(DataSchema, data).regions[0];
    const own = pictures.get(inputKey) ?? [];
    pictures.set(inputKey, own);
    if (region && isUsable(region)) own.push({ region, conceptIds });
  }
  return [...pictures].map(([inputKey, regions]) => ({ inputKey, regions }));
}

export function evenly<Item>(items: readonly Item[], most: number): Item[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, index) => items[Math.floor((index * items.length) / most)] as Item);
}

/** Keys of all processed pictures of the scope, labelled or not; of very many, ones spread evenly over them. */
export async function allPictures({ deps, grant, scope, progress }: Frame, most: number): Promise<number[]> {
  const keys: number[] = [];
  for (let afterKey = 0; ; ) {
    progress.signal.throwIfAborted();
    const rows = await picturesAfter(deps.db, grant, scope, { afterKey, limit: 5_000 });
    for (const row of rows) keys.push(row.inputKey);
    if (rows.length < 5_000) break;
    afterKey = rows.at(-1)?.inputKey ?? afterKey;
  }
  return evenly(keys, most);
}

export interface CellRows {
  /** float32 [rows, dims]. */
  rows: Float32Array;
  dims: number;
  /** Pictures that could not be read. */
  unusable: number;
}

/**
 * Features of chosen cells of each picture, one picture after another.
 *
 * @param choose cells of a picture, by its place in the list; called only for pictures that can be read
 */
export async function gatherCells(
  { deps, grant, progress }: Frame,
  keys: readonly number[],
  recipe: DenseRecipe,
  choose: (index: number) => Promise<Int32Array>,
  share: { from: number; to: number },
): Promise<CellRows> {
  const chunks: Float32Array[] = [];
  const counts: number[] = [];
  let unusable = 0;
  for (let at = 0; at < keys.length; at += computedAtOnce) {
    progress.signal.throwIfAborted();
    const batch = keys.slice(at, at + computedAtOnce);
    const made = await Promise.all(
      batch.map(async (key, offset) => {
        const bytes = await readable(() => deps.readImageBytes(grant, key));
        if (!bytes) return undefined;
        const cells = await choose(at + offset);
        const options = { background: true, signal: progress.signal };
        const rows = await readable(() =>
          deps.engine.dense<Float32Array>({ bytes }, recipe, { kind: 'pick', cells }, options),
        );
        return rows && { rows, cells: cells.length };
      }),
    );
    for (const one of made) {
      counts.push(one?.cells ?? 0);
      if (one) chunks.push(one.rows);
      else unusable += 1;
    }
    await progress.reached(share.from + ((share.to - share.from) * (at + batch.length)) / keys.length);
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  const dims = total > 0 ? chunks.reduce((sum, chunk) => sum + chunk.length, 0) / total : 0;
  const rows = new Float32Array(new SharedArrayBuffer(total * dims * 4));
  let to = 0;
  for (const chunk of chunks) {
    rows.set(chunk, to);
    to += chunk.length;
  }
  return { rows, dims, unusable };
}

/** @returns undefined for a picture that cannot be read; other trouble is thrown and the job tried again */
export async function readable<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof Fault && fault.code >= 30_000 && fault.code < 40_000) return undefined;
    throw fault;
  }
}

/** @throws TrainingTrouble 21110 without any picture, 21111 where a concept has no example and that is to fail */
export function checkExamples(
  { settings }: Frame,
  conceptIds: readonly string[],
  pictures: readonly MarkedPicture[],
  what: string,
): void {
  if (pictures.length === 0)
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      `No processed picture has ${what} of any of the concepts.`,
    );
  const seen = new Set(pictures.flatMap(({ regions }) => regions.flatMap((one) => one.conceptIds)));
  const missing = conceptIds.filter((id) => !seen.has(id));
  if (missing.length > 0 && settings.failOnMissingPositives) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_POSITIVES,
      `No picture has ${what} of ${missing.map((id) => `'${id}'`).join(', ')}; mark some, or leave the concept out.`,
    );
  }
}
