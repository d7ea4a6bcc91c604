import {
  create,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type MethodRule, methodRules, type V2 } from '@fovea/contract';
import * as grpc from '@grpc/grpc-js';

type Methods = typeof V2.method;
type UnaryName = {
  [K in keyof Methods]: Methods[K]['methodKind'] extends 'unary' ? K : never;
}[keyof Methods];

/** A typed gRPC client: `client.postConcepts({ concepts: [{ id: 'cat' }] })`. */
export type TestClient = {
  [K in UnaryName]: (
    request: MessageInitShape<Methods[K]['input']>,
  ) => Promise<MessageShape<Methods[K]['output']>>;
};

/** Speaks gRPC over the wire to a running server; `target` is host:port. */
export function openClient(
  target: string,
  metadata: Record<string, string>,
  userAppId?: { userId: string; appId: string },
) {
  const channel = new grpc.Client(target, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  const headers = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) headers.set(name, value);

  const unary = (rule: MethodRule) => (request: object) =>
    new Promise<Message>((resolve, reject) => {
      const named = userAppId && 'userAppId' in rule.desc.input.field ? { userAppId, ...request } : request;
      channel.makeUnaryRequest<Message, Message>(
        rule.path,
        (message) => Buffer.from(toBinary(rule.desc.input, message as never)),
        (bytes) => fromBinary(rule.desc.output, bytes),
        create(rule.desc.input, named as never) as Message,
        headers,
        (error, reply) => (error ? reject(error) : resolve(reply as Message)),
      );
    });

  const entries = methodRules
    .filter((rule) => rule.kind === 'unary')
    .map((rule) => [rule.localName, unary(rule)]);
  return {
    client: Object.fromEntries(entries) as TestClient,
    channel,
    headers,
    close: () => channel.close(),
  };
}
