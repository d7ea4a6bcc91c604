import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { textTrouble } from '#domain/texts.ts';

/**
 * The JSON object in the body of a route beside the contract; undefined for anything else.
 *
 * @throws Fault CONN_BAD_REQUEST_FORMAT for texts that the database cannot store, as the contract's RPCs do
 */
export function jsonObject(body: Buffer): Record<string, unknown> | undefined {
  const value = parsed(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const trouble = textTrouble(value);
  if (trouble) throw new Fault('bad_request', StatusCode.CONN_BAD_REQUEST_FORMAT, trouble);
  return value as Record<string, unknown>;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
