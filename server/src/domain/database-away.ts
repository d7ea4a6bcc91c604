/**
 * Classes of SQLSTATE: the server shuts down, starts, or crashed (57P01 to 57P05), the connection broke (08), too many
 * connections (53300), a failing disk or system under it (58000, 58030).
 */
const sqlStates = /^(57P0[1-5]|08...|53300|580[03]0)$/;
const socketCodes = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND)$/;
const words =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error/i;

/**
 * True when the database could not be reached, or went away.
 *
 * The caller should see "unavailable, try again": nothing is wrong with the request. Whether a statement that was under
 * way took effect is unknown.
 */
export function isDatabaseAway(thrown: unknown): boolean {
  const { code, syscall, message } = (thrown ?? {}) as Record<'code' | 'syscall' | 'message', unknown>;
  // The socket of a database that is being started again.
  if (code === 'ENOENT') return syscall === 'connect';
  if (typeof code === 'string' && (sqlStates.test(code) || socketCodes.test(code))) return true;
  return typeof message === 'string' && words.test(message);
}
