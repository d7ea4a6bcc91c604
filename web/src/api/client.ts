import { type Rpcs, routes } from '@fovea/contract/rest';
import { recordCall } from './records.ts';
import { serverLost, serverSeen } from './server-state.ts';
import { adviceFor, Trouble, wordsOf } from './trouble.ts';

export type RpcName = keyof Rpcs;
export type Request<Name extends RpcName> = Rpcs[Name]['request'];
export type Response<Name extends RpcName> = Rpcs[Name]['response'];

export interface CallOptions {
  /** A poll or a part of something larger: not remembered as "the call this screen made". */
  readonly quiet?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** A reply whose items have statuses of their own is returned even where some or all of them failed. */
  readonly mixedIsFine?: boolean;
  /** Sent even where the page is closed meanwhile; browsers let out 64 kB so. */
  readonly outlivesPage?: boolean;
}

interface StatusLike {
  readonly code?: number;
  readonly description?: string;
  readonly details?: string;
  readonly req_id?: string;
}

const ok = 10000;
const mixed = 10010;
const failure = 10020;

/**
 * Calls an RPC of the contract over REST: its route comes from the contract, the path is filled from the request,
 * and what is left travels in the query (GET) or the body.
 *
 * @throws Trouble for whatever went wrong, DOMException where it was aborted
 */
export async function rpc<Name extends RpcName>(
  name: Name,
  request: Request<Name>,
  options: CallOptions = {},
): Promise<Response<Name>> {
  const { verb, path, body } = wireOf(name, request);
  return call<Response<Name>>(verb, path, body, { ...options, rpc: name, request });
}

/** What travels for an RPC: verb, path with its query, and body. */
export function wireOf(name: RpcName, request: object): { verb: string; path: string; body?: object } {
  const rest = structuredClone(request) as Record<string, unknown>;
  const [, ...all] = routes[name];
  const route =
    all.find((one) => parametersOf(one).every((parts) => look(rest, parts) !== '')) ?? all.at(-1) ?? '';
  const [verb = '', template = ''] = route.split(' ');
  const path = template.replaceAll(/\{([^}]+)\}/g, (_whole, dotted: string) =>
    encodeURIComponent(take(rest, dotted.split('.')) ?? ''),
  );
  if (verb !== 'GET') return { verb, path, body: rest };
  const query = queryOf(rest);
  return { verb, path: query === '' ? path : `${path}?${query}` };
}

const parametersOf = (route: string): string[][] =>
  [...route.matchAll(/\{([^}]+)\}/g)].map(([, dotted = '']) => dotted.split('.'));

/** A field of the request as text; empty where it is not there. */
function look(message: Record<string, unknown>, [name = '', ...deeper]: readonly string[]): string {
  const value = message[name];
  if (deeper.length === 0) return value === undefined ? '' : String(value);
  return typeof value === 'object' && value !== null ? look(value as Record<string, unknown>, deeper) : '';
}

/** Takes a field out of the request, and messages with it that it leaves empty. */
function take(message: Record<string, unknown>, [name = '', ...deeper]: string[]): string | undefined {
  const value = message[name];
  if (deeper.length === 0) {
    delete message[name];
    return value === undefined ? undefined : String(value);
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const inner = value as Record<string, unknown>;
  const taken = take(inner, deeper);
  if (Object.keys(inner).length === 0) delete message[name];
  return taken;
}

function queryOf(message: object): string {
  const query = new URLSearchParams();
  const add = (prefix: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    if (Array.isArray(value)) for (const item of value) add(prefix, item);
    else if (typeof value === 'object')
      for (const [name, inner] of Object.entries(value)) add(prefix ? `${prefix}.${name}` : name, inner);
    else query.append(prefix, String(value));
  };
  add('', message);
  return query.toString();
}

/**
 * One call of the server, of the contract or of the documented extensions. The session travels in a cookie that
 * scripts cannot read; the header beside it cannot be set by other sites, so the cookie alone does nothing.
 */
export async function call<Reply extends object>(
  verb: string,
  path: string,
  body?: object | Blob,
  options: CallOptions & { rpc?: RpcName; request?: object } = {},
): Promise<Reply> {
  const started = performance.now();
  const response = await send(verb, path, body, options);
  const reply = await readReply(response);
  const status = (reply as { status?: StatusLike }).status;
  const requestId = status?.req_id ?? '';
  if (!options.quiet) {
    recordCall({
      rpc: options.rpc,
      request: options.request ?? (body instanceof Blob ? undefined : body),
      verb,
      path,
      body: body instanceof Blob ? undefined : body,
      durationMs: performance.now() - started,
      http: response.status,
      requestId,
    });
  }
  const succeeded = status?.code ? status.code === ok || status.code === mixed : response.ok;
  if (succeeded || (options.mixedIsFine && status?.code === failure)) return reply as Reply;
  throw new Trouble(wordsOf(status) || `HTTP ${response.status}`, {
    advice: adviceFor(status?.code ?? 0, response.status),
    code: status?.code ?? 0,
    requestId,
  });
}

async function send(
  verb: string,
  path: string,
  body: object | Blob | undefined,
  { signal, outlivesPage = false }: CallOptions,
): Promise<globalThis.Response> {
  try {
    const response = await fetch(path, {
      method: verb,
      headers: {
        'x-fovea-page': '1',
        ...(body === undefined || body instanceof Blob ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
      credentials: 'same-origin',
      cache: 'no-store',
      keepalive: outlivesPage,
      redirect: 'error',
    });
    serverSeen();
    return response;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    serverLost();
    throw new Trouble('trouble.unreachable', { advice: 'advice.unreachable', isKey: true });
  }
}

async function readReply(response: globalThis.Response): Promise<object> {
  const text = await response.text();
  try {
    const reply: unknown = JSON.parse(text || '{}');
    if (typeof reply === 'object' && reply !== null) return reply;
  } catch {
    // Told below in the same words as a reply that is no object.
  }
  throw new Trouble('trouble.unreadable', { advice: 'advice.unreadable', isKey: true });
}
