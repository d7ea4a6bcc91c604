/** CSV as spreadsheets write it: quotes around what needs them, a quote doubled inside, lines end in LF or CRLF. */

export type Row = Readonly<Record<string, string>>;

const cellCharsMax = 16 * 2 ** 20;

export class CsvBroken extends Error {
  override name = 'CsvBroken';
}

/** Rows of cells, one after the other; empty lines are passed over. The separator is told from the first line. */
export async function* scanCsv(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8');
  const reader = new CsvReader();
  for await (const chunk of chunks) yield* reader.push(decoder.decode(chunk, { stream: true }));
  yield* reader.push(decoder.decode());
  yield* reader.end();
}

/** Rows by the names in the first one, as they are spelled there. */
export async function* scanCsvRows(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ row: Row; line: number; names: readonly string[] }> {
  let names: string[] | undefined;
  let line = 0;
  for await (const cells of scanCsv(chunks)) {
    line += 1;
    if (!names) {
      names = cells.map((cell) => cell.trim());
      continue;
    }
    const row: Row = Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']));
    yield { row, line, names };
  }
}

class CsvReader {
  private separator = '';
  private rest = '';

  *push(text: string): Generator<string[]> {
    this.rest += text;
    if (this.separator === '' && this.rest.includes('\n')) this.separator = separatorOf(this.rest);
    if (this.separator === '') return;
    yield* this.take(false);
    if (this.rest.length > cellCharsMax) throw new CsvBroken('a row is too long, or a quote is never closed');
  }

  *end(): Generator<string[]> {
    if (this.separator === '') this.separator = separatorOf(this.rest);
    yield* this.take(true);
  }

  /** All rows that are complete; the last one also without a line's end when nothing more comes. */
  private *take(isLast: boolean): Generator<string[]> {
    let at = 0;
    for (;;) {
      const found = rowAt(this.rest, at, this.separator, isLast);
      if (!found) break;
      at = found.next;
      if (found.cells.length > 1 || found.cells[0] !== '') yield found.cells;
    }
    this.rest = this.rest.slice(at);
  }
}

function separatorOf(text: string): string {
  const [line = ''] = text.split('\n', 1);
  const count = (separator: string) => line.split(separator).length;
  return [';', '\t'].find((separator) => count(separator) > count(',')) ?? ',';
}

function rowAt(text: string, start: number, separator: string, isLast: boolean) {
  const cells: string[] = [];
  let at = start;
  if (at >= text.length) return undefined;
  for (;;) {
    let cell = '';
    if (text[at] === '"') {
      at += 1;
      for (;;) {
        const quote = text.indexOf('"', at);
        if (quote < 0) {
          if (isLast) throw new CsvBroken('a quote is never closed');
          return undefined;
        }
        cell += text.slice(at, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at += 1;
      }
      // A quote at the very end of what has come may be the first of two.
      if (at >= text.length && !isLast) return undefined;
    }
    const stop = nextOf(text, at, separator);
    if (stop >= text.length && !isLast) return undefined;
    const tail = text.slice(at, stop);
    cells.push(cell + (text[stop] === separator ? tail : tail.replace(/\r$/, '')));
    at = stop + 1;
    if (text[stop] !== separator) return { cells, next: at };
  }
}

function nextOf(text: string, from: number, separator: string): number {
  for (let i = from; i < text.length; i++) if (text[i] === separator || text[i] === '\n') return i;
  return text.length;
}

/** One line, with its end. Cells that a spreadsheet would run as a formula are not changed: data come back as they were. */
export const csvLine = (cells: readonly (string | number | undefined)[]): string =>
  `${cells.map((cell) => quoted(cell === undefined ? '' : String(cell))).join(',')}\n`;

const quoted = (cell: string): string =>
  /[",;\t\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
