/** Pairs that cost this much or more are never made. */
export const forbidden = Number.POSITIVE_INFINITY;

/**
 * The cheapest way to pair rows with columns: as many pairs as may be made, and of those the set that costs least.
 *
 * @param costs [rows][columns], finite or `forbidden`
 * @returns the column of each row, or -1
 *
 * Source: Kuhn 1955 with potentials and shortest augmenting paths (Jonker and Volgenant 1987), O(n^3).
 */
export function assign(costs: readonly (readonly number[])[]): number[] {
  const rows = costs.length;
  const columns = costs[0]?.length ?? 0;
  if (rows === 0 || columns === 0) return new Array<number>(rows).fill(-1);
  const size = Math.max(rows, columns);
  const finite = costs.flat().filter(Number.isFinite);
  // Dearer than any set of allowed pairs, so that a forbidden pair is taken only where nothing else is left.
  const dear = 1 + finite.reduce((sum, cost) => sum + Math.abs(cost), 0);
  const costAt = (row: number, column: number): number => {
    const cost = costs[row]?.[column];
    return cost !== undefined && Number.isFinite(cost) ? cost : dear;
  };
  const columnOf = pairAll(size, costAt);
  return costs.map((row, index) => {
    const column = columnOf[index] as number;
    return column < columns && Number.isFinite(row[column]) ? column : -1;
  });
}

/** Pairs all of a square matrix. @returns the column of each row */
function pairAll(size: number, costAt: (row: number, column: number) => number): number[] {
  const rowPotential = new Float64Array(size + 1);
  const columnPotential = new Float64Array(size + 1);
  const rowOf = new Int32Array(size + 1);
  const cameFrom = new Int32Array(size + 1);
  for (let row = 1; row <= size; row += 1) {
    rowOf[0] = row;
    const slack = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY);
    const used = new Uint8Array(size + 1);
    let column = 0;
    do {
      used[column] = 1;
      const current = rowOf[column] as number;
      let delta = Number.POSITIVE_INFINITY;
      let next = 0;
      for (let other = 1; other <= size; other += 1) {
        if (used[other] === 1) continue;
        const reduced =
          costAt(current - 1, other - 1) -
          (rowPotential[current] as number) -
          (columnPotential[other] as number);
        if (reduced < (slack[other] as number)) {
          slack[other] = reduced;
          cameFrom[other] = column;
        }
        if ((slack[other] as number) < delta) {
          delta = slack[other] as number;
          next = other;
        }
      }
      for (let other = 0; other <= size; other += 1) {
        if (used[other] === 1) {
          const owner = rowOf[other] as number;
          rowPotential[owner] = (rowPotential[owner] as number) + delta;
          columnPotential[other] = (columnPotential[other] as number) - delta;
        } else slack[other] = (slack[other] as number) - delta;
      }
      column = next;
    } while (rowOf[column] !== 0);
    while (column !== 0) {
      const before = cameFrom[column] as number;
      rowOf[column] = rowOf[before] as number;
      column = before;
    }
  }
  const columnOf = new Array<number>(size).fill(-1);
  for (let column = 1; column <= size; column += 1) columnOf[(rowOf[column] as number) - 1] = column - 1;
  return columnOf;
}
