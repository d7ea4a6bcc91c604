/** SQLSTATE of a database error, or the system's code of a connection error, or ''. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** True for a duplicate key; with a name, only for that constraint or unique index. */
export function isDuplicate(error: unknown, constraint?: string): boolean {
  const named = (error as { constraint?: string } | undefined)?.constraint;
  return codeOf(error) === '23505' && (constraint === undefined || named === constraint);
}

/** True when the database rolled the transaction back so that somebody else could go on; running it again is right. */
export function isWorthRepeating(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error));
}

/** True when a statement ran into its time limit. */
export function isStatementTimeout(error: unknown): boolean {
  return codeOf(error) === '57014';
}

const connectionWords =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error/i;

/**
 * True when the database could not be reached or went away.
 *
 * The caller should see "unavailable, try again": nothing is wrong with the request. Whether a statement that
 * was under way took effect is unknown.
 */
export function isUnavailable(error: unknown): boolean {
  const code = codeOf(error);
  if (/^(57P0[1-5]|08...|53300|58000)$/.test(code)) return true;
  if (code === 'ENOENT') return (error as { syscall?: unknown }).syscall === 'connect';
  if (/^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND)$/.test(code)) return true;
  return error instanceof Error && connectionWords.test(error.message);
}
