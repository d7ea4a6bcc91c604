/** Where a part of the server writes what happened. Shaped so that a pino logger fits as it is. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>;

const ignore = () => {};

/** A log that keeps nothing: for tests and for parts that were given none. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
