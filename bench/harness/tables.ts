/** Rows of cells, the first being the head, in columns for a terminal. */
export function plainTable(cells: readonly string[][]): string {
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  );
  return cells
    .map((row) =>
      `  ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ')}`.trimEnd(),
    )
    .join('\n');
}

/** The same as a Markdown table. */
export const markdownTable = (cells: readonly string[][]): string =>
  cells
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .flatMap((line, at) => (at === 0 ? [line, `|${' --- |'.repeat((cells[0] as string[]).length)}`] : [line]))
    .join('\n');
