import http from 'node:http';
import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import type { Binding, MethodRule } from '@fovea/contract';
import * as grpc from '@grpc/grpc-js';

export type Headers = Record<string, string>;

// biome-ignore lint/suspicious/noExplicitAny: attacks send every shape
export type Json = any;

/** What came back, in a shape that every transport can fill. */
export interface Answer {
  readonly transport: 'grpc' | 'rest' | 'grpc-web';
  readonly rpc: string;
  /** The contract's status code; 0 where there was none. */
  readonly code: number;
  /** HTTP status, 0 for gRPC. */
  readonly http: number;
  /** Status of the call itself: 0 is OK. */
  readonly grpcCode: number;
  /** Everything that was received, as text; bytes of messages read as latin1. */
  readonly text: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly message: Message | undefined;
  readonly elapsedMs: number;
}

const answerMsMax = 30_000;
const streamMsMax = 1_500;

/** Speaks to one server; every answer passes `watch`. */
export function openWire(url: string, watch: (answer: Answer) => void) {
  const host = new URL(url).host;
  const channel = new grpc.Client(host, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

  const seen = (answer: Answer): Answer => {
    watch(answer);
    return answer;
  };

  function call(rule: MethodRule, bytes: Uint8Array, headers: Headers): Promise<Answer> {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const began = performance.now();
    const finish = (grpcCode: number, details: string, parts: Buffer[]) =>
      seen({
        ...readReply(rule, parts.at(-1)),
        transport: 'grpc',
        rpc: rule.name,
        http: 0,
        grpcCode,
        text: `${parts.map((part) => part.toString('latin1')).join('\n')}\n${details}`,
        headers: {},
        elapsedMs: performance.now() - began,
      });
    const plain = (value: Buffer) => value;
    const request = Buffer.from(bytes);
    if (rule.kind === 'unary') {
      return new Promise((resolve) => {
        const options = { deadline: Date.now() + answerMsMax };
        channel.makeUnaryRequest(rule.path, plain, plain, request, metadata, options, (error, reply) => {
          resolve(finish(error?.code ?? 0, error?.details ?? '', reply ? [reply] : []));
        });
      });
    }
    return new Promise((resolve) => {
      const parts: Buffer[] = [];
      const duplex =
        rule.kind === 'bidi_streaming'
          ? channel.makeBidiStreamRequest(rule.path, plain, plain, metadata)
          : undefined;
      const stream = duplex ?? channel.makeServerStreamRequest(rule.path, plain, plain, request, metadata);
      const late = setTimeout(() => stream.cancel(), streamMsMax);
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', () => {});
      stream.on('status', (status: grpc.StatusObject) => {
        clearTimeout(late);
        const cancelled = status.code === grpc.status.CANCELLED;
        resolve(finish(cancelled ? 0 : status.code, cancelled ? '' : status.details, parts));
      });
      duplex?.write(request);
      duplex?.end();
    });
  }

  function send(options: {
    verb: string;
    path: string;
    headers: Headers;
    body?: Buffer | undefined;
    rule?: MethodRule;
  }): Promise<Answer> {
    const began = performance.now();
    const { verb, path, headers, body, rule } = options;
    return new Promise((resolve) => {
      const finish = (status: number, answered: http.IncomingHttpHeaders, received: Buffer) => {
        const text = received.toString('utf8');
        resolve(
          seen({
            transport: 'rest',
            rpc: rule?.name ?? `${verb} ${path.split('?')[0]?.slice(0, 80)}`,
            code: Number(/"status":\s*{\s*"code":\s*(\d+)/.exec(text)?.[1] ?? 0),
            http: status,
            grpcCode: 0,
            text,
            headers: answered,
            message: undefined,
            elapsedMs: performance.now() - began,
          }),
        );
      };
      const request = http.request(
        url,
        {
          agent,
          method: verb,
          path,
          timeout: answerMsMax,
          headers: { ...(body ? { 'content-length': String(body.length) } : {}), ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', () => finish(0, {}, Buffer.concat(chunks)));
          response.on('end', () => finish(response.statusCode ?? 0, response.headers, Buffer.concat(chunks)));
        },
      );
      request.on('timeout', () => request.destroy());
      request.on('error', (error) => finish(0, {}, Buffer.from(`connection: ${error.message}`)));
      request.end(body);
    });
  }

  return {
    url,
    host,
    /** Raw bytes over gRPC. */
    callBytes: call,
    /** A request given as JSON (proto names), over gRPC. */
    call: (rule: MethodRule, json: Json, headers: Headers) => call(rule, bytesOf(rule, json), headers),
    /** A plain HTTP request. The path is sent as it is, never tidied up. */
    send,
    rest: (rule: MethodRule, binding: Binding, json: Json, headers: Headers, query = '') => {
      const { path, body } = restOf(binding, json);
      return send({
        verb: binding.verb,
        path: path + query,
        headers,
        body:
          binding.verb === 'GET' && Object.keys(body).length === 0
            ? undefined
            : Buffer.from(JSON.stringify(body)),
        rule,
      });
    },
    async web(rule: MethodRule, bytes: Uint8Array, headers: Headers): Promise<Answer> {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(bytes.length, 1);
      const answer = await send({
        verb: 'POST',
        path: rule.path,
        headers: { 'content-type': 'application/grpc-web+proto', ...headers },
        body: Buffer.concat([head, bytes]),
        rule,
      });
      const grpcCode = Number(/grpc-status: (\d+)/.exec(answer.text)?.[1] ?? -1);
      return { ...answer, transport: 'grpc-web', grpcCode };
    },
    close() {
      channel.close();
      agent.destroy();
    },
  };
}

export type Wire = ReturnType<typeof openWire>;

function readReply(
  rule: MethodRule,
  bytes: Buffer | undefined,
): { code: number; message: Message | undefined } {
  if (!bytes) return { code: 0, message: undefined };
  try {
    const message = fromBinary(rule.desc.output, bytes);
    return { code: (message as unknown as { status?: { code: number } }).status?.code ?? 0, message };
  } catch {
    return { code: 0, message: undefined };
  }
}

/** The bytes of a request given as JSON; names the contract does not know are left out. */
export function bytesOf(rule: MethodRule, json: Json): Uint8Array {
  const desc: DescMessage = rule.desc.input;
  const message =
    json === undefined ? create(desc) : fromJson(desc, json as JsonValue, { ignoreUnknownFields: true });
  return toBinary(desc, message);
}

/** Path with its parameters put in, and what is left for the body. */
export function restOf(binding: Binding, json: Json): { path: string; body: Json } {
  const body = structuredClone(json ?? {});
  const path = binding.path.replace(/{([^}]+)}/g, (_whole, name: string) => {
    const steps = name.split('.');
    const last = steps.pop() as string;
    const at = steps.reduce((inner, step) => inner?.[step], body);
    const value = at?.[last];
    if (at) delete at[last];
    return encodeURIComponent(String(value ?? 'missing').toWellFormed());
  });
  if (body.user_app_id && Object.keys(body.user_app_id).length === 0) delete body.user_app_id;
  return { path, body };
}
