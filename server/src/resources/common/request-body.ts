import type { IncomingMessage } from 'node:http';
import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { textTrouble } from '#domain/texts.ts';

/**
 * Reads a whole request body.
 *
 * @param sizeBytesMax what a caller may send at most
 * @throws Fault `too_large` as soon as the limit is passed (what still comes is dropped unread, and the answer arrives
 * all the same), `bad_request` when the caller hangs up halfway
 */
export async function readBody(request: IncomingMessage, sizeBytesMax: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > sizeBytesMax) throw tooLarge(sizeBytesMax);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    // The request must outlive a refusal, or the answer would not arrive.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) throw tooLarge(sizeBytesMax);
      chunks.push(chunk);
    }
  } catch (thrown) {
    if (request.destroyed && !request.complete) throw badFormat('The body ended before it was whole.');
    throw thrown;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

/**
 * Reads the JSON object that a route beside the contract is sent; no body is an object without fields.
 *
 * @throws Fault as `readBody`, and CONN_BAD_REQUEST_FORMAT for anything but an object, and for texts that the database
 * cannot store, as the contract's RPCs do
 */
export async function readJsonBody(
  request: IncomingMessage,
  sizeBytesMax: number,
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
