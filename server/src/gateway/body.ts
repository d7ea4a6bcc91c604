import type { IncomingMessage } from 'node:http';
import { gatewayFault } from './faults.ts';

/** Whether a body may grow beyond `sizeBytes`: it says so, or does not say how large it is. */
export const mayBeLarge = (request: IncomingMessage, sizeBytes: number): boolean =>
  request.headers['transfer-encoding'] !== undefined ||
  Number(request.headers['content-length'] ?? 0) > sizeBytes;

/**
 * Reads a whole request body.
 *
 * @throws Fault `too_large` as soon as the limit is passed (what still comes is dropped unread, and the answer arrives
 * all the same), `bad_request` when the caller hangs up halfway
 */
export async function readBody(request: IncomingMessage, sizeBytesMax: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > sizeBytesMax) throw gatewayFault.tooLarge(sizeBytesMax);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) throw gatewayFault.tooLarge(sizeBytesMax);
      chunks.push(chunk);
    }
  } catch (thrown) {
    if (request.destroyed && !request.complete)
      throw gatewayFault.badFormat('The body ended before it was whole.');
    throw thrown;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
