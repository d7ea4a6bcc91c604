/** Exit codes, as docs/CLI.md lists them. */
export const exitCode = { failed: 1, usage: 2, unreachable: 3, denied: 4, missing: 5, partly: 6 } as const;

/** What ends a command, in one line for whoever typed it. */
export class CliFault extends Error {
  override name = 'CliFault';
  readonly code: number;

  constructor(message: string, code: number = exitCode.failed) {
    super(message);
    this.code = code;
  }
}

export const usageFault = (message: string): CliFault => new CliFault(message, exitCode.usage);
