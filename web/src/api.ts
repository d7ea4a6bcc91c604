import { code, type Status, wordsOf } from './wire.ts';

export type Verb = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface CallRecord {
  readonly verb: Verb;
  readonly path: string;
  readonly body: unknown;
  readonly ms: number;
  readonly http: number;
  readonly requestId: string;
}

/** Why a call did not do what was asked: what, why, what to do, and the id under which the server knows it. */
export class Trouble extends Error {
  readonly why: string;
  readonly advice: string;
  readonly code: number;
  readonly requestId: string;

  constructor(what: string, parts: { why: string; advice: string; code?: number; requestId?: string }) {
    super(what);
    this.name = 'Trouble';
    this.why = parts.why;
    this.advice = parts.advice;
    this.code = parts.code ?? 0;
    this.requestId = parts.requestId ?? '';
  }
}

interface Session {
  readonly token: string;
  readonly userId: string;
}

const tokenKey = 'fovea.token';
const recordsMax = 12;

let session: Session | undefined;
let appId = '';
const records: CallRecord[] = [];

export const currentUser = (): string => session?.userId ?? '';
export const currentApp = (): string => appId;
export const setApp = (id: string): void => {
  appId = id;
};
export const recentCalls = (): readonly CallRecord[] => records;
export const keptToken = (): string => sessionStorage.getItem(tokenKey) ?? '';

/** Path below the current app. */
export const inApp = (rest: string): string => `${appPath(currentUser(), appId)}/${rest}`;
export const appPath = (userId: string, app: string): string =>
  `/v2/users/${encodeURIComponent(userId)}/apps/${encodeURIComponent(app)}`;
export const ofUser = (rest: string): string => `/v2/users/${encodeURIComponent(currentUser())}/${rest}`;

/**
 * Signs in: the token travels in a header for calls, and a cookie that scripts cannot read stands in for it where
 * the browser loads pictures by itself.
 */
export async function signIn(token: string): Promise<void> {
  session = { token, userId: 'me' };
  try {
    await call('POST', '/v2/ext/fovea/session', undefined, { what: 'You are not signed in.' });
    const { user } = await call<{ user: { id: string } }>('GET', '/v2/users/me', undefined, {
      what: 'Your user could not be read.',
    });
    session = { token, userId: user.id };
    sessionStorage.setItem(tokenKey, token);
  } catch (trouble) {
    session = undefined;
    sessionStorage.removeItem(tokenKey);
    throw trouble;
  }
}

export async function signOut(): Promise<void> {
  await call('DELETE', '/v2/ext/fovea/session', undefined, { quiet: true }).catch(() => undefined);
  session = undefined;
  sessionStorage.removeItem(tokenKey);
}

export interface CallOptions {
  /** Said first when it fails, e.g. "The pictures could not be listed." */
  readonly what?: string;
  /** A poll or a part of something larger: not shown as "the last call". */
  readonly quiet?: boolean;
  readonly signal?: AbortSignal;
  /** A reply whose items have their own statuses is returned even where some or all of them failed. */
  readonly mixedIsFine?: boolean;
}

/** One call of the API. @throws Trouble for whatever went wrong, DOMException where it was aborted */
export async function call<T extends object>(
  verb: Verb,
  path: string,
  body?: unknown,
  options: CallOptions = {},
): Promise<T> {
  const what = options.what ?? 'The server did not do what was asked.';
  const started = performance.now();
  const response = await send(verb, path, body, options, what);
  const reply = await readReply(response, what);
  const status = (reply as { status?: Status }).status;
  const requestId = status?.req_id ?? '';
  if (!options.quiet) {
    records.unshift({
      verb,
      path,
      body: shortened(body),
      ms: performance.now() - started,
      http: response.status,
      requestId,
    });
    records.length = Math.min(records.length, recordsMax);
  }
  const succeeded = status ? status.code === code.ok || status.code === code.mixed : response.ok;
  if (succeeded || (options.mixedIsFine && status?.code === code.failure)) return reply as T;
  throw new Trouble(what, {
    why: wordsOf(status) || `HTTP ${response.status}`,
    advice: adviceFor(status?.code ?? 0, response.status),
    code: status?.code ?? 0,
    requestId,
  });
}

/** A body as it is remembered and shown: long texts, such as pictures, are cut. */
function shortened(body: unknown): unknown {
  if (body === undefined) return undefined;
  const cut = (_key: string, value: unknown) =>
    typeof value === 'string' && value.length > 400 ? `${value.slice(0, 24)}…` : value;
  return JSON.parse(JSON.stringify(body, cut)) as unknown;
}

async function send(
  verb: Verb,
  path: string,
  body: unknown,
  options: CallOptions,
  what: string,
): Promise<Response> {
  try {
    return await fetch(path, {
      method: verb,
      headers: {
        ...(session ? { authorization: `Key ${session.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(options.signal ? { signal: options.signal } : {}),
      cache: 'no-store',
      redirect: 'error',
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new Trouble(what, {
      why: `The server at ${location.host} cannot be reached.`,
      advice: 'See whether it is running and whether you are connected, then try again.',
    });
  }
}

async function readReply(response: Response, what: string): Promise<object> {
  const text = await response.text();
  try {
    const reply: unknown = JSON.parse(text || '{}');
    if (typeof reply === 'object' && reply !== null) return reply;
  } catch {
    // Told below in the same words as a reply that is no object.
  }
  throw new Trouble(what, {
    why: `The reply cannot be read (HTTP ${response.status}).`,
    advice:
      'Something between this page and the server may have changed it. Try again; if it stays, read the log of the server.',
  });
}

function adviceFor(statusCode: number, http: number): string {
  switch (statusCode) {
    case code.keyInvalid:
    case code.keyNotFound:
      return 'Check the token: it is printed when the server starts. Sign in again with it.';
    case code.insufficientScopes:
      return 'Use a token with more scopes, or ask the owner of the app for the right.';
    case code.doesNotExist:
      return 'It may have been deleted elsewhere. Reload the page to see what there is.';
    case code.throttled:
      return 'Wait a moment, then try again.';
    case code.notBuilt:
      return 'This server does not offer it yet; a newer version may.';
    case code.notIndexed:
      return 'Wait until the picture is processed, then search again.';
    default:
      break;
  }
  if (http === 413) return 'Send less at a time, or smaller files.';
  if (http >= 500) return 'Try again; if it stays, look for the request id in the log of the server.';
  return 'Change what is named above, then try again.';
}

/** Anything thrown, as a trouble that can be shown. */
export function asTrouble(thrown: unknown, what = 'The page ran into a problem.'): Trouble {
  if (thrown instanceof Trouble) return thrown;
  return new Trouble(what, {
    why: thrown instanceof Error ? thrown.message : String(thrown),
    advice: 'Reload the page, then try again.',
  });
}

export const wasAborted = (thrown: unknown): boolean =>
  thrown instanceof DOMException && thrown.name === 'AbortError';
