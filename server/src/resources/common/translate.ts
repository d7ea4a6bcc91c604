import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type Timestamp,
  timestampDate,
  timestampFromDate,
  type Visibility_Gettable,
  VisibilitySchema,
} from '@fovea/contract';
import { visibility } from '#domain/grant.ts';
import { commonFault } from './faults.ts';

/** Database time (milliseconds) to the contract's Timestamp. */
export const showTime = (at: Date | null | undefined): Timestamp | undefined =>
  at ? timestampFromDate(at) : undefined;

const earliest = Date.parse('0001-01-01T00:00:00Z');
const latest = Date.parse('9999-12-31T23:59:59.999Z');

/** @throws Fault 11102 for what lies outside the years 1 to 9999, as protobuf bounds a Timestamp and the database stores it. */
export function readTime(wire: Timestamp, field: string): Date {
  const at = timestampDate(wire);
  if (!(at.getTime() >= earliest && at.getTime() <= latest))
    throw commonFault.invalid(`${field} lies outside the years 1 to 9999.`);
  return at;
}

export const showVisibility = (gettable: number) =>
  create(VisibilitySchema, { gettable: gettable as Visibility_Gettable });

/** Reads a visibility; absent means private. @throws Fault for 0 and unknown numbers: the contract calls them invalid. */
export function readVisibility(wire: { gettable: Visibility_Gettable } | undefined): number {
  if (!wire) return visibility.private;
  const known: number[] = Object.values(visibility);
  if (!known.includes(wire.gettable)) {
    throw commonFault.invalid(
      `visibility.gettable is ${wire.gettable}; use 10 (private), 30 (organization) or 50 (public).`,
    );
  }
  return wire.gettable;
}

/**
 * Packs the free fields of a message for storage. What has a column of its own is left out, so that it is
 * stored once; unknown fields of newer clients survive.
 */
export function packBody<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  columns: readonly (keyof MessageShape<D>)[],
): Buffer {
  const copy = create(schema) as Record<string, unknown>;
  for (const [name, value] of Object.entries(message)) {
    if (!columns.includes(name as keyof MessageShape<D>)) copy[name] = value;
  }
  return Buffer.from(toBinary(schema, copy as never));
}

export const unpackBody = <D extends DescMessage>(schema: D, body: Uint8Array): MessageShape<D> =>
  fromBinary(schema, body);

/**
 * A stored body with the fields that live elsewhere put in place. Unknown fields of the body survive.
 *
 * NOTE: spreading a message into `create` does not do this: `create` takes an object with a type name as made already.
 */
export function completed<D extends DescMessage>(
  schema: D,
  body: Uint8Array,
  fields: MessageInitShape<D>,
): MessageShape<D> {
  const message = fromBinary(schema, body) as Record<string, unknown>;
  const made = create(schema, fields) as Record<string, unknown>;
  for (const name of Object.keys(fields)) message[name] = made[name];
  return message as MessageShape<D>;
}

/** Text that full-text search of an app, model, workflow or dataset looks through, most telling first. */
export const searchWords = (...texts: (string | undefined)[]): string =>
  texts
    .filter((text) => text)
    .map((text) => `${text} ${(text as string).replace(/[-_./]+/g, ' ')}`)
    .join(' ')
    .slice(0, 60_000);
