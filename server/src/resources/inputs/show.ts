import type { Input } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { inputLevelData } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import { inputRows } from './store.ts';
import { showInput } from './translate.ts';

/** The complete stored representation of inputs, in the order of the keys; what is gone meanwhile is left out. */
export async function showInputs(
  { db, publicUrl }: Pick<Deps, 'db' | 'publicUrl'>,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<Input[]> {
  if (inputKeys.length === 0) return [];
  const [rows, labels] = await Promise.all([
    inputRows(db, grant, inputKeys),
    inputLevelData(db, grant, inputKeys),
  ]);
  const byKey = new Map(rows.map((row) => [row.key, row]));
  return inputKeys.flatMap((key) => {
    const row = byKey.get(key);
    return row ? [showInput(row, labels.get(key), grant, publicUrl())] : [];
  });
}
