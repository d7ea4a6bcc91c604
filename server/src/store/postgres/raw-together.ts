import { openGathered } from '../gathered.ts';
import type { RawRead } from './raw-reads.ts';
import { RawColumns, type RawRow } from './raw-rows.ts';
import type { RawStatement } from './raw-values.ts';

/**
 * The row that a number and a text name (an app's key and an id, say), or undefined. Questions of several callers go
 * into one statement, each beside its own number.
 *
 * The statement takes the numbers as `$1::bigint[]` and the texts as `$2::text[]`; its first column is the ordinality
 * of the pair that a row answers.
 */
export type RawTogether = (
  statement: RawStatement,
  number: number,
  text: string,
) => Promise<RawRow | undefined>;

export function openRawTogether(read: RawRead): RawTogether {
  type Pair = readonly [number, string];
  const gathered = new Map<string, (pair: Pair) => Promise<RawRow | undefined>>();

  const open = (statement: RawStatement) =>
    openGathered<Pair, RawRow | undefined>(async (pairs) => {
      const rows = await read(statement, [pairs.map(([number]) => number), pairs.map(([, text]) => text)]);
      const answers = new Array<RawRow | undefined>(pairs.length).fill(undefined);
      const columns = new RawColumns();
      for (const row of rows) answers[columns.read(row).int8() - 1] = row;
      return answers;
    });

  return (statement, number, text) => {
    let ask = gathered.get(statement.name);
    if (!ask) {
      ask = open(statement);
      gathered.set(statement.name, ask);
    }
    return ask([number, text]);
  };
}
