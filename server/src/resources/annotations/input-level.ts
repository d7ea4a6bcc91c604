import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { PatchAction } from '#domain/patch.ts';
import type { Db } from '#store/sql.ts';
import { annotationFault } from './faults.ts';
import { insertAnnotations, insertBareInputLevels } from './insert-store.ts';
import { identifyLabels, labelTrouble, settleLabels } from './labels.ts';
import { patchedData, type Sent } from './patch-data.ts';
import { placeTrouble } from './place.ts';
import { bumpSearchRevision, inputLevelRows, lockInputLevels, updateAnnotations } from './store.ts';
import { type InputLevelData, nameConcepts, showInputLevel, unpackData } from './translate.ts';

/** A new input and what its sender says of it as a whole. */
export interface InputLevelItem {
  readonly inputKey: number;
  readonly inputId: string;
  /** Concepts, metadata and geo are taken; the medium and the rest are not ours. */
  readonly data: Data;
  readonly workerUserKey: number;
}

/** Why labels, metadata or place of an input cannot be stored, or undefined when they can. */
export const inputLevelTrouble = (data: Data | undefined): string | undefined =>
  labelTrouble(data) ?? (data?.geo ? placeTrouble(data.geo) : undefined);

/**
 * Makes the one annotation that every input has as a whole: trusted, done, by its sender. Concepts that the app
 * does not know are made. Check each input with `inputLevelTrouble` before.
 *
 * @throws Fault 11007 when a concept would have to be made and the caller lacks `Concepts_Add`
 */
export async function insertInputLevelAnnotations(
  tx: Db,
  grant: AppGrant,
  items: readonly InputLevelItem[],
): Promise<void> {
  const isBare = ({ data: { concepts, metadata, geo } }: InputLevelItem) =>
    concepts.length === 0 && metadata === undefined && geo === undefined;
  const bare = items.filter(isBare);
  await insertBareInputLevels(
    tx,
    grant,
    bare.map(({ inputKey, inputId }) => ({ inputKey, inputId, id: newId() })),
    bare.map(({ workerUserKey }) => workerUserKey),
  );
  const labelled = items.filter((item) => !isBare(item));
  const settled = await settleLabels(
    tx,
    grant,
    labelled.map(({ data }) => inputLevelPart(data)),
  );
  await insertAnnotations(
    tx,
    grant,
    labelled.map((item, i) => ({
      id: newId(),
      inputKey: item.inputKey,
      inputId: item.inputId,
      inputLevel: true,
      trusted: true,
      statusCode: 24150,
      worker: { userKey: item.workerUserKey },
      taskId: '',
      annotationInfo: undefined,
      consensusInfo: undefined,
      data: settled[i] as Data,
    })),
  );
  await bumpSearchRevision(tx, grant);
}

const inputLevelPart = ({ concepts, metadata, geo }: Data): Data =>
  create(DataSchema, { concepts, metadata, geo });

/** Concepts (named), metadata and geo of inputs, by input row key. Inputs without an annotation are left out. */
export async function inputLevelData(
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<Map<number, InputLevelData>> {
  const rows = await inputLevelRows(db, grant, inputKeys);
  const datas = await nameConcepts(
    db,
    grant,
    rows.map((row) => unpackData(row.data)),
  );
  return new Map(rows.map((row, i) => [row.inputKey, showInputLevel(datas[i] as Data)]));
}

/** What is to become of the concepts, metadata and geo of an input. */
export interface InputLevelPatch {
  readonly inputKey: number;
  readonly data: Data;
  /** The JSON of the input's `data` as it came (proto spelling); undefined over gRPC. */
  readonly sent: unknown;
}

/**
 * Patches concepts, metadata and geo of inputs, none of them named twice, in a handful of statements however many
 * they are. Locks the annotations, so that two patches of one input follow each other. Call `bumpSearchRevision`
 * when all are patched.
 *
 * @returns by input key what is wrong with an item, which does not touch the others: 24155 for labels or places that
 *   cannot be stored, 11007 as `insertInputLevelAnnotations`
 */
export async function patchInputLevels(
  tx: Db,
  grant: AppGrant,
  action: PatchAction,
  patches: readonly InputLevelPatch[],
): Promise<{ changed: number[]; faults: Map<number, Fault> }> {
  const faults = new Map<number, Fault>();
  const inputKeys = patches.map(({ inputKey }) => inputKey);
  const before = new Map((await lockInputLevels(tx, grant, inputKeys)).map((row) => [row.inputKey, row]));
  const parts = patches.flatMap(({ inputKey, data, sent }) => {
    const part = inputLevelPart(data);
    // What is to be removed need not be storable, nor exist.
    const trouble = action === 'remove' ? undefined : inputLevelTrouble(part);
    if (trouble) faults.set(inputKey, annotationFault.invalid(trouble));
    const locked = before.get(inputKey);
    return locked && !trouble ? [{ inputKey, part, sent, locked }] : [];
  });
  const named = await settleEach(tx, grant, action, parts, faults);
  const changes = parts.flatMap(({ inputKey, sent, locked }) => {
    const part = named.get(inputKey);
    if (!part) return [];
    const kept = unpackData(locked.data);
    const after = patchedData(action, kept, part, sent as Sent);
    return [{ row: locked, data: action === 'overwrite' ? { ...kept, ...pick(after) } : after }];
  });
  const changed = await updateAnnotations(tx, grant, changes);
  return { changed: changed.map(({ row }) => row.inputKey), faults };
}

/** Labels with their ids, all at once; one by one only where the caller may not make those that are missing. */
async function settleEach(
  tx: Db,
  grant: AppGrant,
  action: PatchAction,
  parts: readonly { inputKey: number; part: Data }[],
  faults: Map<number, Fault>,
): Promise<Map<number, Data>> {
  const settle = action === 'remove' ? identifyLabels : settleLabels;
  const together = async (some: typeof parts) => {
    const named = await settle(
      tx,
      grant,
      some.map(({ part }) => part),
    );
    return new Map(some.map(({ inputKey }, i) => [inputKey, named[i] as Data]));
  };
  if (action === 'remove' || grant.holds('Concepts_Add')) return together(parts);
  const named = new Map<number, Data>();
  for (const one of parts) {
    try {
      for (const [key, part] of await together([one])) named.set(key, part);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      faults.set(one.inputKey, thrown);
    }
  }
  return named;
}

const pick = ({ concepts, metadata, geo }: Data) => ({ concepts, metadata, geo });
