import { type Data, type Input, PackedReply, WireWriter } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { RawColumns, type RawReads, type RawRow } from '#store/postgres/index.ts';
import { labelNames } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import { inputStatus } from './input.ts';
import { bytesPerInput, InputWriter, labelsOf } from './packed.ts';
import { inputsByKeys } from './read-store.ts';
import type { InputRow } from './rows.ts';
import { inputsField, showWritten, unpackInputs } from './translate.ts';

const noRows: ReadonlyMap<number, RawRow> = new Map();

type Means = Pick<Deps, 'db' | 'publicUrl'>;

/** The complete stored representation of inputs, in the order of the keys; what is gone meanwhile is left out. */
export async function showInputs(
  means: Means,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<Input[]> {
  const { fields } = await packInputs(means, grant, await inputsByKeys(means.db, grant, inputKeys));
  return unpackInputs(fields);
}

/** Inputs that were read for a reply of another family, which writes them where it wants them. */
export interface ReadInputs {
  /** Whether it is still there. */
  has(inputKey: number): boolean;
  /** The input as field `field` of the message that is being written. */
  write(field: number, inputKey: number): void;
}

/**
 * Reads inputs, to be written into what `writer` writes.
 *
 * @param known rows that were read along with something else (`inputColumns` behind a number): where all are there, nothing is read
 */
export async function readInputsInto(
  { db, publicUrl }: Means,
  grant: AppGrant,
  inputKeys: readonly number[],
  writer: WireWriter,
  known: ReadonlyMap<number, RawRow> = noRows,
): Promise<ReadInputs> {
  const areKnown = inputKeys.every((key) => known.has(key));
  const rowOf = areKnown ? known : await rowsByKey(db, grant, inputKeys);
  const rows = [...rowOf.values()];
  const { labels, revision } = labelsOf(rows);
  const inputs = new InputWriter(
    grant,
    publicUrl(grant),
    await labelNames(db, grant, revision, labels),
    writer,
  );
  return {
    has: (key) => rowOf.has(key),
    write: (field, key) => inputs.row(field, rowOf.get(key) as RawRow),
  };
}

async function rowsByKey(db: RawReads, grant: AppGrant, keys: readonly number[]) {
  const columns = new RawColumns();
  const rows = await inputsByKeys(db, grant, keys);
  return new Map(rows.map((row) => [keys[columns.read(row).int8() - 1] as number, row]));
}

/** Inputs as the reply that holds them, alone in SingleInputResponse or as a list in MultiInputResponse. */
export async function packInputs(
  { db, publicUrl }: Means,
  grant: AppGrant,
  rows: readonly RawRow[],
): Promise<PackedReply> {
  const { labels, revision } = labelsOf(rows);
  const names = await labelNames(db, grant, revision, labels);
  const inputs = new InputWriter(
    grant,
    publicUrl(grant),
    names,
    new WireWriter(bytesPerInput * (1 + rows.length)),
  );
  for (const row of rows) inputs.row(inputsField, row);
  return new PackedReply(inputs.writer.taken());
}

/** The medium of an input as a dataset version keeps it; the input itself may be gone. */
export function showKeptMedium(
  grant: AppGrant,
  baseUrl: string,
  kept: Pick<InputRow, 'id' | 'url' | 'mediaSha' | 'media'> & { kind: string },
): Data {
  const row: InputRow = {
    ...kept,
    key: 0,
    kind: kept.kind as InputRow['kind'],
    statusCode: inputStatus.processed,
    statusDetails: '',
    allowDuplicateUrl: false,
    settings: Buffer.alloc(0),
    createdAt: new Date(0),
    modifiedAt: new Date(0),
  };
  return showWritten([row], undefined, grant, baseUrl)[0]?.data as Data;
}
