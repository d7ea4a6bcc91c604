import type { Input } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { showInputLevels, showNamedInputLevel } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import { type LabelledRow, labelledByKeys, type NamedRow } from './read-store.ts';
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
