import { create, type Message, toBinary } from '@bufbuild/protobuf';
import { type MethodRule, type PackedReply, StatusCode, StatusSchema, WireWriter } from '@fovea/contract';
import { statusOf } from './status.ts';

/** Field numbers of every reply and of Status (service.proto, status.proto). */
const field = { status: 1, reqId: 7 } as const;

const success = toBinary(StatusSchema, create(StatusSchema, statusOf(StatusCode.SUCCESS)));

/** A packed reply in its envelope: a success, for failures are made by the gateway itself. */
export function packed({ fields }: PackedReply, requestId: string) {
  const writer = new WireWriter(fields.length + 256);
  const status = writer.open(field.status);
  writer.raw(success);
  writer.text(field.reqId, requestId);
  writer.close(status);
  writer.raw(fields);
  return { message: writer.taken(), code: StatusCode.SUCCESS, httpStatus: 200 };
}

/** The bytes of a reply, for the transports that send them as they are. */
export function bytesOf(rule: MethodRule, message: Message | Buffer): Buffer {
  if (Buffer.isBuffer(message)) return message;
  const bytes = toBinary(rule.desc.output, message as never);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
