import type { IncomingMessage, ServerResponse } from 'node:http';
import { fromBinary, type Message } from '@bufbuild/protobuf';
import { type MethodRule, methodRules } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { mayBeLarge, readBody } from './body.ts';
import { type CallMeta, type Dispatcher, requestIdOf, Unreadable } from './dispatch.ts';
import { bytesOf } from './packed.ts';
import { writePiece } from './write.ts';

const ruleOfPath = new Map(methodRules.map((rule) => [rule.path, rule]));

export const isGrpcWeb = (request: IncomingMessage): boolean =>
  request.method === 'POST' && (request.headers['content-type'] ?? '').startsWith('application/grpc-web');

/**
 * gRPC-Web, binary and base64 text, unary and server streams (two-way streams need real HTTP/2).
 * Source: PROTOCOL-WEB.md of the gRPC project: length-prefixed frames, trailers in a frame with the top bit set.
 */
export async function answerGrpcWeb(
  dispatcher: Dispatcher,
  request: IncomingMessage,
  response: ServerResponse,
  meta: Omit<CallMeta, 'transport' | 'sent'>,
  options: { requestBytesMax: number; largeBodyBytes: number },
): Promise<void> {
  const contentType = request.headers['content-type'] ?? '';
  const isText = contentType.startsWith('application/grpc-web-text');
  const write = (bytes: Buffer) => writePiece(response, isText ? bytes.toString('base64') : bytes);
  response.writeHead(200, {
    'content-type': isText ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto',
  });
  const finish = (code: number, words: string) => {
    void write(
      frame(Buffer.from(`grpc-status: ${code}\r\ngrpc-message: ${encodeURIComponent(words)}\r\n`), 0x80),
    );
    response.end();
  };
  const rule = ruleOfPath.get((request.url ?? '').split('?')[0] as string);
  if (!rule) return finish(12, 'unknown method');
  if (rule.kind === 'bidi_streaming') return finish(12, 'two-way streams need gRPC over HTTP/2');
  const encode = (reply: Message | Buffer) => frame(bytesOf(rule, reply), 0);
  if (mayBeLarge(request, options.largeBodyBytes)) {
    try {
      await dispatcher.vouch(rule, meta.header);
    } catch (thrown) {
      void write(encode(dispatcher.failed(rule, thrown, requestIdOf(meta.header)).message));
      return finish(0, '');
    }
  }
  let message: Message;
  try {
    message = readMessage(rule, await readBody(request, options.requestBytesMax), isText);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'too_large') return finish(8, thrown.details);
    return finish(3, 'the request frame could not be read');
  }
  const call: CallMeta = { ...meta, transport: 'grpc-web' };
  if (rule.kind === 'unary') {
    void write(encode((await dispatcher.unary(rule, message, call)).message));
  } else {
    for await (const reply of dispatcher.stream(rule, message, call)) {
      if (!(await write(encode(reply.message)))) return;
    }
  }
  finish(0, '');
}

function readMessage(rule: MethodRule, body: Buffer, isText: boolean): Message {
  const framed = isText ? Buffer.from(body.toString('latin1'), 'base64') : body;
  if (framed.length < 5 || framed[0] !== 0) throw new RangeError('no data frame');
  const sizeBytes = framed.readUInt32BE(1);
  if (framed.length < 5 + sizeBytes) throw new RangeError('frame is cut short');
  try {
    return fromBinary(rule.desc.input, framed.subarray(5, 5 + sizeBytes));
  } catch {
    return new Unreadable() as Message;
  }
}

function frame(payload: Buffer, flag: number): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}
