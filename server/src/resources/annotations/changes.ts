import { isDeepStrictEqual } from 'node:util';
import { equals, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';

/** An annotation as it is stored. */
export interface Stored {
  /** The bytes of a Data message. */
  readonly data: Uint8Array;
  readonly statusCode: number;
  readonly taskId: string;
  readonly annotationInfo: object | null;
  readonly consensusInfo: object | null;
}

/** What is to become of it; what is left out stays. */
export interface Wanted {
  readonly row: Stored;
  readonly data: Data;
  readonly statusCode?: number | undefined;
  readonly taskId?: string | undefined;
  readonly annotationInfo?: object | undefined;
  readonly consensusInfo?: object | undefined;
}

/**
 * Whether an annotation would read differently afterwards. Numbers count as they are kept (single precision), and the
 * order of keys in metadata does not.
 */
export function changesSomething({ row, data, ...rest }: Wanted): boolean {
  if (rest.statusCode !== undefined && rest.statusCode !== row.statusCode) return true;
  if (rest.taskId !== undefined && rest.taskId !== row.taskId) return true;
  if (isOther(row.annotationInfo, rest.annotationInfo)) return true;
  if (isOther(row.consensusInfo, rest.consensusInfo)) return true;
  const packed = toBinary(DataSchema, data);
  if (Buffer.compare(packed, row.data) === 0) return false;
  return !equals(DataSchema, fromBinary(DataSchema, packed), fromBinary(DataSchema, row.data));
}

const isOther = (stored: object | null, wanted: object | undefined): boolean =>
  wanted !== undefined && !isDeepStrictEqual(stored, JSON.parse(JSON.stringify(wanted)));
