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
