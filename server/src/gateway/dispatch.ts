import { randomBytes } from 'node:crypto';
import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import { type MethodRule, PackedReply, type Service, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Fault, Moved } from '#domain/fault.ts';
import type { Authorizer, Grants, HeaderOf } from './authorize.ts';
import { gatewayFault } from './faults.ts';
import type { GatewayLog, GatewayMetrics } from './observe.ts';
import { packed } from './packed.ts';
import type { RateLimiter } from './rate-limit.ts';
import { asFault, httpStatusOf, statusOf } from './status.ts';
import { checkTexts } from './texts.ts';

/** What a transport knows about one call beside its messages. */
export interface CallMeta {
  readonly header: HeaderOf;
  readonly transport: Call['transport'];
  readonly signal: AbortSignal;
  /** Host (and port) that the caller asked for. */
  readonly host?: string | undefined;
  readonly sent?: Record<string, unknown> | undefined;
}

/**
 * A reply ready for any transport: the message with its envelope filled, or its bytes where the handler gave bytes,
 * and the HTTP number where one is needed.
 */
export interface Reply {
  readonly message: Message | Buffer;
  /** Of the envelope. */
  readonly code: StatusCode;
  readonly httpStatus: number;
  readonly moved?: Moved | undefined;
}

type Handler = (request: unknown, call: Call) => unknown;

/**
 * Runs handlers: grants first, then the handler, then the envelope. Nothing thrown gets past it: every failure
 * becomes a reply with the contract's status (SEMANTICS 1.3: the RPC itself always completes with OK).
 */
export function openDispatcher(parts: {
  service: Service<Call>;
  authorizer: Authorizer;
  log: GatewayLog;
  metrics: GatewayMetrics;
  limiter?: RateLimiter | undefined;
}) {
  const { service, authorizer, log, metrics, limiter } = parts;
  const handlerOf = (rule: MethodRule): Handler =>
    (service as unknown as Record<string, Handler>)[rule.localName] as Handler;

  async function unary(rule: MethodRule, request: Message, meta: CallMeta): Promise<Reply> {
    const requestId = requestIdOf(meta.header);
    const startedMs = performance.now();
    let reply: Reply;
    try {
      const call = await openCall(rule, request, meta, requestId);
      const shown = (await handlerOf(rule)(request, call)) as Record<string, unknown> | PackedReply;
      reply = enveloped(rule, shown, requestId);
    } catch (thrown) {
      reply = failed(rule, thrown, requestId);
    }
    observe(rule, reply, requestId, startedMs);
    return reply;
  }

  /** Server streams and two-way streams; a failure is a normal last message with an error status. */
  async function* stream(
    rule: MethodRule,
    requests: Message | AsyncIterable<Message>,
    meta: CallMeta,
  ): AsyncGenerator<Reply> {
    const requestId = requestIdOf(meta.header);
    const startedMs = performance.now();
    let last: Reply | undefined;
    try {
      const { first, all } = await firstOf(requests);
      const call = await openCall(rule, first, meta, requestId);
      for await (const shown of handlerOf(rule)(all, call) as AsyncIterable<Record<string, unknown>>) {
        last = enveloped(rule, shown, requestId);
        yield last;
      }
    } catch (thrown) {
      last = failed(rule, thrown, requestId);
      yield last;
    }
    if (last) observe(rule, last, requestId, startedMs);
  }

  async function openCall(
    rule: MethodRule,
    request: Message | undefined,
    meta: CallMeta,
    requestId: string,
  ): Promise<Call> {
    checkReadable(request);
    const grants =
      rule.auth === 'NoAuth'
        ? undefined
        : await authorizer.authorize(rule, meta.header, namedApp(request), meta.host);
    if (grants) limiter?.take(grants.caller);
    return new GatewayCall(rule.name, requestId, meta, grants, authorizer);
  }

  function failed(rule: MethodRule, thrown: unknown, requestId: string): Reply {
    const fault = asFault(thrown);
    if (fault.kind === 'internal') {
      log.error({ rpc: rule.name, requestId, cause: fault.cause ?? fault }, fault.log ?? fault.details);
    }
    return faultReply(rule, fault, requestId);
  }

  function observe(rule: MethodRule, reply: Reply, requestId: string, startedMs: number): void {
    const elapsedMs = performance.now() - startedMs;
    const { code } = reply;
    metrics.answered(rule.name, code, elapsedMs);
    log.debug({ rpc: rule.name, requestId, code, elapsedMs: Math.round(elapsedMs * 10) / 10 }, 'answered');
  }

  /** Asks who is calling before anything large is read for him. @throws Fault for strangers */
  async function vouch(rule: MethodRule, header: HeaderOf): Promise<void> {
    if (rule.auth !== 'NoAuth') await authorizer.signIn(header);
  }

  return { unary, stream, failed, vouch };
}

export type Dispatcher = ReturnType<typeof openDispatcher>;

/** A reply that carries nothing but a fault's status. */
export function faultReply(rule: MethodRule, fault: Fault, requestId: string): Reply {
  const status = { ...statusOf(fault.code as StatusCode, fault.details), reqId: requestId };
  return {
    message: create(rule.desc.output as DescMessage, { status } as never),
    code: fault.code as StatusCode,
    httpStatus: httpStatusOf(fault.code as StatusCode, fault.kind),
    moved: fault.moved,
  };
}

function enveloped(rule: MethodRule, shown: Record<string, unknown> | PackedReply, requestId: string): Reply {
  if (shown instanceof PackedReply) return packed(shown, requestId);
  const given = shown.status as { code?: StatusCode; details?: string; description?: string } | undefined;
  const code = given?.code ?? StatusCode.SUCCESS;
  const status = { ...statusOf(code), ...given, code, reqId: requestId };
  if (!given?.description) status.description = statusOf(code).description;
  // `create` takes an object with a type name as finished, so a ready-made reply is opened again.
  const message = create(
    rule.desc.output as DescMessage,
    { ...shown, $typeName: undefined, status } as never,
  );
  return { message, code, httpStatus: httpStatusOf(code) };
}

const idBytes = 16;
let randomPool = Buffer.alloc(0);
let poolAt = 0;

/** 32 hex digits. Random bytes are dear to ask for one by one, and these are no secret. */
function freshId(): string {
  if (poolAt >= randomPool.length) {
    randomPool = randomBytes(256 * idBytes);
    poolAt = 0;
  }
  poolAt += idBytes;
  return randomPool.toString('hex', poolAt - idBytes, poolAt);
}

/** 32 hex digits, behind the caller's prefix when it sends one (SEMANTICS 1.1). */
export function requestIdOf(header: HeaderOf): string {
  const given = header('x-clarifai-request-id');
  if (given && /^[\w.:-]{1,128}$/.test(given)) return given;
  const id = freshId();
  const prefix = header('x-clarifai-request-id-prefix');
  return prefix && /^[\w.:+-]{1,64}$/.test(prefix) ? `${prefix}-${id}` : id;
}

/** Finds user_app_id in a request; upload streams carry it inside their first part. */
function namedApp(request: Message | undefined): { userId: string; appId: string } {
  const fields = (request ?? {}) as Record<string, unknown>;
  const nested = Object.values(fields).find(
    (value): value is { value: Record<string, unknown> } =>
      typeof value === 'object' && value !== null && 'case' in value && 'value' in value,
  );
  const set = (fields.userAppId ??
    nested?.value?.userAppId ??
    (fields.uploadConfig as Record<string, unknown>)?.userAppId) as
    | { userId: string; appId: string }
    | undefined;
  return { userId: set?.userId ?? '', appId: set?.appId ?? '' };
}

async function firstOf(requests: Message | AsyncIterable<Message>) {
  if (!(Symbol.asyncIterator in requests)) return { first: requests, all: requests };
  const iterator = (requests as AsyncIterable<Message>)[Symbol.asyncIterator]();
  const head = await iterator.next();
  async function* rest() {
    if (!head.done) yield head.value;
    for (;;) {
      const next = await iterator.next();
      if (next.done) return;
      checkReadable(next.value);
      yield next.value;
    }
  }
  return { first: head.done ? undefined : head.value, all: rest() };
}

/** Stands in for a request whose bytes are no message of its type, so that its refusal goes the way of all replies. */
export class Unreadable {}

function checkReadable(request: Message | Unreadable | undefined): void {
  if (request instanceof Unreadable)
    throw gatewayFault.badFormat('The bytes of the request are not a message of this method.');
  checkTexts(request);
}

class GatewayCall implements Call {
  readonly rpc: string;
  readonly requestId: string;
  readonly #meta: CallMeta;
  readonly #grants: Grants | undefined;
  readonly #authorizer: Authorizer;

  constructor(
    rpc: string,
    requestId: string,
    meta: CallMeta,
    grants: Grants | undefined,
    authorizer: Authorizer,
  ) {
    this.rpc = rpc;
    this.requestId = requestId;
    this.#meta = meta;
    this.#grants = grants;
    this.#authorizer = authorizer;
  }

  get transport() {
    return this.#meta.transport;
  }
  get signal() {
    return this.#meta.signal;
  }
  get sent() {
    return this.#meta.sent;
  }
  get caller() {
    if (!this.#grants) throw gatewayFault.noCredential();
    return this.#grants.caller;
  }
  get user() {
    if (!this.#grants) throw gatewayFault.noCredential();
    return this.#grants.user;
  }
  get app() {
    if (!this.#grants) throw gatewayFault.noCredential();
    if (!this.#grants.app) throw gatewayFault.noAppNamed();
    return this.#grants.app;
  }
  get appIfNamed() {
    return this.#grants?.app;
  }
  appGrant(userId: string, appId: string) {
    return this.#authorizer.appGrantFor(this.caller, userId, appId);
  }
  publicGrant(userId: string, appId: string) {
    return this.#authorizer.publicGrantFor(this.caller, userId, appId);
  }
  userGrant(userId: string) {
    return this.#authorizer.userGrantFor(this.caller, userId);
  }
}
