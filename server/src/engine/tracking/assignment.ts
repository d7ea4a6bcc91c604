import { assign as assignAll } from '../assignment.ts';

/** Pairs that cost this much or more are never made. */
export const forbidden = Number.POSITIVE_INFINITY;

/**
 * The cheapest way to pair rows with columns: as many pairs as may be made, and of those the set that costs least.
 *
 * @param costs [rows][columns], finite or `forbidden`
 * @returns the column of each row, or -1
 */
export function assign(costs: readonly (readonly number[])[]): number[] {
  const rows = costs.length;
  const columns = costs[0]?.length ?? 0;
  if (rows === 0 || columns === 0) return new Array<number>(rows).fill(-1);
  // Dearer than any set of allowed pairs, so that a forbidden pair is taken only where nothing else is left.
  const dear =
    1 +
    costs
      .flat()
      .filter(Number.isFinite)
      .reduce((sum, cost) => sum + Math.abs(cost), 0);
  // Square, so that a row may also go without a column.
  const size = Math.max(rows, columns);
  const square = new Float64Array(size * size).fill(dear);
  for (const [row, ofRow] of costs.entries())
    for (const [column, cost] of ofRow.entries())
      if (Number.isFinite(cost)) square[row * size + column] = cost;
  const columnOf = assignAll(square, size, size);
  return costs.map((row, index) => {
    const column = columnOf[index] as number;
    return column < columns && Number.isFinite(row[column]) ? column : -1;
  });
}
