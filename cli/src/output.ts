/** Words for people on stdout, or one JSON document; progress on stderr, only where somebody looks at it. */
export interface Output {
  readonly json: boolean;
  /** The result: as JSON, or as these lines. */
  result(value: unknown, lines: readonly string[]): void;
  /** A line that is overwritten by the next one. */
  progress(line: string): void;
  /** Takes the last line of progress away. */
  settle(): void;
  warn(line: string): void;
}

export function openOutput(
  { json, quiet }: { json: boolean; quiet: boolean },
  stdout: NodeJS.WriteStream = process.stdout,
  stderr: NodeJS.WriteStream = process.stderr,
): Output {
  const isShown = stderr.isTTY === true && !quiet;
  let hasLine = false;
  const settle = () => {
    if (hasLine) stderr.write('\r\u001b[2K');
    hasLine = false;
  };
  return {
    json,
    result(value, lines) {
      settle();
      stdout.write(
        json ? `${JSON.stringify(value, null, 2)}\n` : lines.map((line) => `${clean(line)}\n`).join(''),
      );
    },
    progress(line) {
      if (!isShown) return;
      stderr.write(`\r\u001b[2K${clean(line).slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}`);
      hasLine = true;
    },
    settle,
    warn(line) {
      settle();
      stderr.write(`${clean(line)}\n`);
    },
  };
}

/** Names come from files and servers; what would steer a terminal is shown as a sign. */
const clean = (text: string): string => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');

/** Columns as wide as their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  return [header, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, count > 0 ? Math.floor(Math.log2(count) / 10) : 0);
  return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
