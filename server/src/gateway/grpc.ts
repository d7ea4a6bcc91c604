import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { fromBinary, type Message } from '@bufbuild/protobuf';
import { type MethodRule, methodRules } from '@fovea/contract';
import * as grpc from '@grpc/grpc-js';
import { type CallMeta, type Dispatcher, type Reply, Unreadable } from './dispatch.ts';
import { bytesOf } from './packed.ts';

/**
 * gRPC over grpc-js, fed with sockets by the port. Codecs are protobuf-es (measured: a quarter of Connect's CPU
 * per call). Source: SEMANTICS 1.3.
 */
export function openGrpc(dispatcher: Dispatcher, options: { requestBytesMax: number }) {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': options.requestBytesMax,
    'grpc.max_send_message_length': -1,
    // Clients may ping every 10 s without active calls (SEMANTICS 8).
    'grpc-node.flow_control_window': 4 * 1024 * 1024,
    // Nobody asks this server for its channelz figures, and keeping them costs every call.
    'grpc.enable_channelz': 0,
    // A connection that does not answer pings is dead, or never meant to speak.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
  shieldStreams(server);
  for (const rule of methodRules) {
    server.register(
      rule.path,
      handlerOf(rule, dispatcher) as never,
      encode(rule),
      decode(rule),
      kindOf(rule),
    );
  }
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  return {
    accept: (socket: Socket) => injector.injectConnection(socket),
    /** Lets running calls finish, at most `graceMs`, then closes what is left. */
    close: (graceMs: number) =>
      new Promise<void>((resolve) => {
        injector.drain(graceMs);
        const hard = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(hard);
          resolve();
        });
      }),
  };
}

type StreamHandler = (interceptors: unknown, stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/**
 * A stream that the caller resets in the very packet that opens it is gone before its handler runs. grpc-js answers
 * it nevertheless (wrong content type, unknown method); that throws out of an event handler and would end the
 * process (grpc-js 1.14.7, Server._verifyContentType and _respondWithError).
 */
function shieldStreams(server: grpc.Server): void {
  const handlers = server as unknown as Record<'_streamHandler' | '_channelzHandler', StreamHandler>;
  for (const name of ['_streamHandler', '_channelzHandler'] as const) {
    const inner = handlers[name];
    handlers[name] = function (this: unknown, interceptors, stream, headers) {
      stream.on('error', () => {});
      if (stream.destroyed || stream.closed) return;
      try {
        inner.call(this, interceptors, stream, headers);
      } catch {
        stream.destroy();
      }
    };
  }
}

const kindOf = (rule: MethodRule) =>
  rule.kind === 'unary' ? 'unary' : rule.kind === 'server_streaming' ? 'serverStream' : 'bidi';

const decode = (rule: MethodRule) => (bytes: Buffer) => {
  try {
    return fromBinary(rule.desc.input, bytes);
  } catch {
    return new Unreadable();
  }
};

const encode = (rule: MethodRule) => (message: Message | Buffer) => bytesOf(rule, message);

type AnyHandler = Parameters<grpc.Server['register']>[1];

function handlerOf(rule: MethodRule, dispatcher: Dispatcher): AnyHandler {
  if (rule.kind === 'unary') {
    const unary: grpc.handleUnaryCall<Message, Message | Buffer> = (call, done) => {
      void dispatcher.unary(rule, call.request, metaOf(call)).then((reply) => done(null, reply.message));
    };
    return unary as unknown as AnyHandler;
  }
  if (rule.kind === 'server_streaming') {
    const stream: grpc.handleServerStreamingCall<Message, Message | Buffer> = (call) => {
      void pump(dispatcher.stream(rule, call.request, metaOf(call)), call);
    };
    return stream as unknown as AnyHandler;
  }
  const bidi: grpc.handleBidiStreamingCall<Message, Message | Buffer> = (call) => {
    // Plain iteration would destroy the stream once the caller has said all, and with it the way for our replies.
    const requests = call.iterator({ destroyOnReturn: false }) as AsyncIterable<Message>;
    void pump(dispatcher.stream(rule, requests, metaOf(call)), call);
  };
  return bidi as unknown as AnyHandler;
}

type Writable =
  | grpc.ServerWritableStream<Message, Message | Buffer>
  | grpc.ServerDuplexStream<Message, Message | Buffer>;

async function pump(replies: AsyncIterable<Reply>, call: Writable): Promise<void> {
  for await (const reply of replies) {
    if (call.cancelled) break;
    if (!call.write(reply.message)) await drained(call);
  }
  call.end();
}

/** Waits until more can be written, or nobody reads any more. */
function drained(call: Writable): Promise<void> {
  const emitter = call as NodeJS.EventEmitter;
  return new Promise((resolve) => {
    const done = () => {
      emitter.off('drain', done);
      emitter.off('cancelled', done);
      resolve();
    };
    emitter.on('drain', done);
    emitter.on('cancelled', done);
  });
}

function metaOf(call: grpc.ServerUnaryCall<Message, Message | Buffer> | Writable): CallMeta {
  let aborter: AbortController | undefined;
  return {
    header: (name) => call.metadata.get(name)[0]?.toString(),
    transport: 'grpc',
    host: call.getHost(),
    // Made when first asked for: few handlers look at it, and the end of every call fires it.
    get signal() {
      if (aborter) return aborter.signal;
      const made = new AbortController();
      aborter = made;
      if (call.cancelled) made.abort();
      else (call as NodeJS.EventEmitter).once('cancelled', () => made.abort());
      return made.signal;
    },
  };
}
