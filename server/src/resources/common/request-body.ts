import type { IncomingMessage } from 'node:http';
import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { textTrouble } from '#domain/texts.ts';
import { readWhole } from '#domain/whole-body.ts';

/** Reads a whole request body. @throws Fault `too_large`, or `bad_request` when the caller hangs up halfway */
export const readBody = (request: IncomingMessage, sizeBytesMax: number): Promise<Buffer> =>
  readWhole(request, sizeBytesMax, {
    tooLarge,
    cutOff: () => badFormat('The body ended before it was whole.'),
  });

const jsonBytesMax = 64 * 1024;

/**
 * Reads the JSON object that a route beside the contract is sent; no body is an object without fields.
 *
 * @throws Fault as `readBody`, and CONN_BAD_REQUEST_FORMAT for anything but an object, and for texts that the database
 * cannot store, as the contract's RPCs do
 */
export async function readJsonBody(
  request: IncomingMessage,
  sizeBytesMax = jsonBytesMax,
): Promise<Record<string, unknown>> {
  const body = await readBody(request, sizeBytesMax);
  const value = body.length === 0 ? {} : parsed(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badFormat('The body must be a JSON object.');
  const trouble = textTrouble(value);
  if (trouble) throw badFormat(trouble);
  return value as Record<string, unknown>;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

const badFormat = (words: string) => new Fault('bad_request', StatusCode.CONN_BAD_REQUEST_FORMAT, words);

function tooLarge(sizeBytesMax: number): Fault {
  const [unit, name] = sizeBytesMax < 2 ** 20 ? [2 ** 10, 'KiB'] : [2 ** 20, 'MiB'];
  const words = `The request is larger than ${Math.floor(sizeBytesMax / unit)} ${name}.`;
  return new Fault('too_large', StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED, words);
}
