/**
 * The cheapest way to give each row a column of its own. O(n^3).
 *
 * @param costs float64 [rows, columns], finite
 * @returns the column of each row; -1 where there are fewer columns than rows
 *
 * Source: Kuhn 1955 with potentials and shortest augmenting paths (Jonker and Volgenant 1987).
 */
export function assign(costs: Float64Array, rows: number, columns: number): Int32Array {
  if (costs.length !== rows * columns)
    throw new RangeError(`${rows} x ${columns} costs are needed; ${costs.length} came.`);
  if (rows > columns) {
    const turned = new Float64Array(costs.length);
    for (let i = 0; i < rows; i += 1)
      for (let j = 0; j < columns; j += 1) turned[j * rows + i] = costs[i * columns + j] as number;
    const chosen = new Int32Array(rows).fill(-1);
    assign(turned, columns, rows).forEach((row, column) => {
      chosen[row] = column;
    });
    return chosen;
  }
  // 1-based, column 0 is where each new row starts from.
  const rowPrice = new Float64Array(rows + 1);
  const columnPrice = new Float64Array(columns + 1);
  const rowOf = new Int32Array(columns + 1);
  const cameFrom = new Int32Array(columns + 1);
  for (let row = 1; row <= rows; row += 1) {
    rowOf[0] = row;
    let column = 0;
    const slack = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
    const seen = new Uint8Array(columns + 1);
    do {
      seen[column] = 1;
      const from = rowOf[column] as number;
      let [least, next] = [Number.POSITIVE_INFINITY, 0];
      for (let j = 1; j <= columns; j += 1) {
        if (seen[j] === 1) continue;
        const reduced =
          (costs[(from - 1) * columns + j - 1] as number) -
          (rowPrice[from] as number) -
          (columnPrice[j] as number);
        if (reduced < (slack[j] as number)) {
          slack[j] = reduced;
          cameFrom[j] = column;
        }
        if ((slack[j] as number) < least) [least, next] = [slack[j] as number, j];
      }
      for (let j = 0; j <= columns; j += 1) {
        if (seen[j] === 1) {
          const owner = rowOf[j] as number;
          rowPrice[owner] = (rowPrice[owner] as number) + least;
          columnPrice[j] = (columnPrice[j] as number) - least;
        } else slack[j] = (slack[j] as number) - least;
      }
      column = next;
    } while (rowOf[column] !== 0);
    while (column !== 0) {
      const before = cameFrom[column] as number;
      rowOf[column] = rowOf[before] as number;
      column = before;
    }
  }
  const chosen = new Int32Array(rows).fill(-1);
  for (let j = 1; j <= columns; j += 1) if (rowOf[j] !== 0) chosen[(rowOf[j] as number) - 1] = j - 1;
  return chosen;
}
