import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Message } from '@bufbuild/protobuf';
import { type MethodRule, StatusCode } from '@fovea/contract';
import { Fault, type Moved } from '#domain/fault.ts';
import { mayBeLarge, readBody } from '../body.ts';
import { type CallMeta, type Dispatcher, faultReply, type Reply, requestIdOf } from '../dispatch.ts';
import { gatewayFault } from '../faults.ts';
import { encodeJson, JsonTrouble, jsonFromWire, type NameStyle, parseJson } from '../json/index.ts';
import { urlOf } from '../request-url.ts';
import { httpStatusOf, statusOf } from '../status.ts';
import { writePiece } from '../write.ts';
import { decodeJsonLarge } from './large-body.ts';
import { matchRoute, type RouteMatch, requestFrom } from './router.ts';

export interface RestOptions {
  readonly requestBytesMax: number;
  /** Bodies above this are parsed in a worker, so that one upload does not stall everyone (measured: 400 ms for 119 MB). */
  readonly largeBodyBytes: number;
  readonly names: NameStyle;
}

/** REST/JSON of the contract's HTTP bindings. Source: google.api.http; SEMANTICS 1.4. */
export async function answerRest(
  dispatcher: Dispatcher,
  request: IncomingMessage,
  response: ServerResponse,
  meta: Omit<CallMeta, 'transport' | 'sent'>,
  options: RestOptions,
): Promise<void> {
  const url = urlOf(request);
  const verb = request.method ?? 'GET';
  const names = namesAsked(request, options.names);
  const matched = matchRoute(verb, url.pathname);
  if (!matched || 'allowed' in matched) {
    const fault = matched
      ? gatewayFault.wrongVerb(verb, matched.allowed)
      : gatewayFault.noRoute(verb, url.pathname);
    return answerBare(
      response,
      fault,
      requestIdOf(meta.header),
      matched ? { allow: matched.allowed.join(', ') } : {},
    );
  }
  let read: { rule: MethodRule; message: Message; sent: Record<string, unknown> | undefined };
  try {
    if (mayBeLarge(request, options.largeBodyBytes)) await dispatcher.vouch(matched.rule, meta.header);
    read = await readRequest(matched, url, request, options);
  } catch (thrown) {
    const rule = matched.rule;
    const reply =
      thrown instanceof JsonTrouble
        ? faultReply(rule, gatewayFault.badFormat(thrown.message), requestIdOf(meta.header))
        : dispatcher.failed(rule, thrown, requestIdOf(meta.header));
    return answerReply(response, rule, reply, names, url);
  }
  const call: CallMeta = { ...meta, transport: 'rest', sent: read.sent };
  if (read.rule.kind === 'unary') {
    return answerReply(
      response,
      read.rule,
      await dispatcher.unary(read.rule, read.message, call),
      names,
      url,
    );
  }
  await answerStream(dispatcher, read.rule, read.message, call, response, names);
}

async function readRequest(matched: RouteMatch, url: URL, request: IncomingMessage, options: RestOptions) {
  const bytes = await readBody(request, options.requestBytesMax);
  if (bytes.length > options.largeBodyBytes) {
    return decodeJsonLarge(matched, url.searchParams, bytes);
  }
  const json = bytes.length === 0 ? undefined : parseJson(bytes);
  return requestFrom(matched, url.searchParams, json);
}

/** `Accept: application/json; names=camel` asks for the spelling of the OpenAPI description. */
function namesAsked(request: IncomingMessage, fallback: NameStyle): NameStyle {
  const asked = /names\s*=\s*"?(camel|snake)/.exec(request.headers.accept ?? '')?.[1];
  return (asked as NameStyle | undefined) ?? fallback;
}

const jsonOf = (rule: MethodRule, message: Message | Buffer, names: NameStyle): string | Buffer =>
  Buffer.isBuffer(message)
    ? jsonFromWire(rule.desc.output, message, { names })
    : encodeJson(rule.desc.output, message, { names });

function answerReply(
  response: ServerResponse,
  rule: MethodRule,
  reply: Reply,
  names: NameStyle,
  url: URL,
): void {
  const text = jsonOf(rule, reply.message, names);
  const headers: Record<string, string | number> = {
    'content-type': 'application/json; charset=utf-8',
    // What one caller may see is kept by nothing between us.
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
  };
  const location = reply.moved && locationOf(url, reply.moved);
  if (location) headers.location = location;
  response.writeHead(reply.httpStatus, headers);
  response.end(text);
}

/** The path asked for with the new id in it; undefined where the old one stood in the body alone. */
function locationOf(url: URL, moved: Moved): string | undefined {
  const segment = new RegExp(`/${moved.collection}/[^/]+`);
  if (!segment.test(url.pathname)) return undefined;
  return (
    url.pathname.replace(segment, () => `/${moved.collection}/${encodeURIComponent(moved.to)}`) + url.search
  );
}

/** Server streams as newline-delimited JSON, each line `{"result": …}` (SEMANTICS 8). */
async function answerStream(
  dispatcher: Dispatcher,
  rule: MethodRule,
  message: Message,
  call: CallMeta,
  response: ServerResponse,
  names: NameStyle,
): Promise<void> {
  if (rule.kind === 'bidi_streaming') {
    const fault = new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      `${rule.name} is a two-way stream: call it over gRPC.`,
    );
    return answerBare(response, fault, requestIdOf(call.header), {});
  }
  for await (const reply of dispatcher.stream(rule, message, call)) {
    if (!response.headersSent)
      response.writeHead(reply.httpStatus, { 'content-type': 'application/x-ndjson' });
    const line = `{"result":${jsonOf(rule, reply.message, names)}}\n`;
    if (!(await writePiece(response, line))) return;
  }
  response.end();
}

/** A failure that belongs to no RPC (no route, wrong verb). */
export function answerBare(
  response: ServerResponse,
  fault: Fault,
  requestId: string,
  headers: Record<string, string>,
): void {
  const { code, description, details } = statusOf(fault.code as StatusCode, fault.details);
  response.writeHead(httpStatusOf(fault.code as StatusCode, fault.kind), {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify({ status: { code, description, details, req_id: requestId } }));
}
