/** What a reader or writer has to say of what it met. One bad item never ends the reading of its neighbours. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly code:
    | 'broken-file'
    | 'broken-item'
    | 'bad-number'
    | 'unsafe-path'
    | 'missing-image'
    | 'duplicate'
    | 'name-clash'
    | 'unknown-class'
    | 'unsupported'
    | 'too-large';
  /** File in which it was found. */
  readonly path: string;
  /** Line, index or id inside it. */
  readonly at?: string;
  /** What is wrong and what was done about it. */
  readonly message: string;
}

export type Report = (problem: Problem) => void;

/** A file that is being read, and whom to tell what is wrong with it. */
export interface Where {
  readonly path: string;
  readonly report: Report;
}

/** The same, at a line or an item of the file. */
export interface WhereAt extends Where {
  readonly at: string;
}

/**
 * Says that a file cannot be read to its end, after what came before was taken.
 *
 * @param Broken what a reader of such files throws
 * @throws any other error as it is
 */
export function reportBroken(
  error: unknown,
  Broken: new (message: string) => Error,
  path: string,
  report: Report,
): void {
  if (!(error instanceof Broken)) throw error;
  report({
    severity: 'error',
    code: 'broken-file',
    path,
    message: `${error.message}; what came before is kept`,
  });
}

/** Counts all problems, keeps the first of them. */
export function problemLog(keep = 1_000) {
  const kept: Problem[] = [];
  const counts = { errors: 0, warnings: 0 };
  return {
    kept,
    counts,
    report(problem: Problem) {
      counts[problem.severity === 'error' ? 'errors' : 'warnings'] += 1;
      if (kept.length < keep) kept.push(problem);
    },
  };
}
