/** The whole service as one type: an RPC that nobody answers does not compile. */
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { V2 } from '../gen/proto/clarifai/api/service_pb.ts';
import type { PackedReply } from './wire.ts';

export type UnaryHandler<I, O, C> = (req: I, call: C) => Promise<O>;
export type ServerStreamHandler<I, O, C> = (req: I, call: C) => AsyncIterable<O>;
export type BidiHandler<I, O, C> = (requests: AsyncIterable<I>, call: C) => AsyncIterable<O>;

type Methods = typeof V2.method;

/** An RPC by its local name (`postInputs`). */
export type MethodName = keyof Methods;

/** The full request message of an RPC. */
export type RequestOf<K extends MethodName> = MessageShape<Methods[K]['input']>;

/** The reply of an RPC as a plain object; fields left out are empty. */
export type ReplyOf<K extends MethodName> = MessageInitShape<Methods[K]['output']>;

/** RPCs that are asked so often, or show so much, that their replies come as bytes. Others may be added. */
type Packing =
  | 'getInput'
  | 'listInputs'
  | 'postInputs'
  | 'streamInputs'
  | 'postInputsSearches'
  | 'postAnnotationsSearches'
  | 'postSearches'
  | 'postSearchesByID';

type HandlerOf<K extends MethodName, C> = Methods[K] extends {
  methodKind: infer Kind;
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? Kind extends 'unary'
    ? UnaryHandler<MessageShape<I>, MessageInitShape<O> | (K extends Packing ? PackedReply : never), C>
    : Kind extends 'server_streaming'
      ? ServerStreamHandler<MessageShape<I>, MessageInitShape<O>, C>
      : BidiHandler<MessageShape<I>, MessageInitShape<O>, C>
  : never;

/** One handler for each RPC; `C` is what the gateway hands to every call (grant, deadline, trace …). */
export type Service<C> = { [K in MethodName]: HandlerOf<K, C> };

/** A part of the service: what one family answers. */
export type ServicePart<C, K extends MethodName> = Pick<Service<C>, K>;
