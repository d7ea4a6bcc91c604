import type { Data, Input } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { showInputLevels, showNamedInputLevel } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import { inputStatus } from './input.ts';
import { type LabelledRow, labelledByKeys, type NamedRow } from './read-store.ts';
import type { InputRow } from './rows.ts';
import { showInput } from './translate.ts';

type Means = Pick<Deps, 'db' | 'publicUrl'>;

/** The complete stored representation of inputs, in the order of the keys; what is gone meanwhile is left out. */
export async function showInputs(
  means: Means,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<Input[]> {
  return showRows(means, grant, await labelledByKeys(means.db, grant, inputKeys));
}

/** The same of rows at hand. */
export async function showRows(
  { db, publicUrl }: Means,
  grant: AppGrant,
  rows: readonly LabelledRow[],
): Promise<Input[]> {
  const labels = await showInputLevels(
    db,
    grant,
    rows.map(({ label }) => label),
  );
  const url = publicUrl();
  return rows.map((row, i) => showInput(row, labels[i], grant, url));
}

/** One input whose concepts' names are at hand as well. */
export const showNamedRow = ({ publicUrl }: Means, grant: AppGrant, row: NamedRow): Input =>
  showInput(row, showNamedInputLevel(grant, row.label, row.names), grant, publicUrl());

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
  return showInput(row, undefined, grant, baseUrl).data as Data;
}
