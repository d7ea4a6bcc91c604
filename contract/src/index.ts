export type { Duration, Struct, Timestamp, Value } from '@bufbuild/protobuf/wkt';
export {
  DurationSchema,
  ListValueSchema,
  StructSchema,
  TimestampSchema,
  timestampDate,
  timestampFromDate,
  timestampMs,
  timestampNow,
  ValueSchema,
} from '@bufbuild/protobuf/wkt';
export * from '../gen/proto/clarifai/api/resources_pb.ts';
export * from '../gen/proto/clarifai/api/service_pb.ts';
export * from '../gen/proto/clarifai/api/status/status_code_pb.ts';
export * from '../gen/proto/clarifai/api/status/status_pb.ts';
export * from '../gen/proto/clarifai/api/utils/matrix_pb.ts';
export {
  S as Scope,
  type ScopeList,
  ScopeListSchema,
  SSchema as ScopeSchema,
} from '../gen/proto/clarifai/auth/scope/scope_pb.ts';
export { AuthType, AuthTypeSchema } from '../gen/proto/clarifai/auth/types/types_pb.ts';
export * from './rules.ts';
export type * from './service.ts';
export * from './wire.ts';
