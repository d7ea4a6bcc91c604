import type { IncomingMessage } from 'node:http';
import { gatewayFault } from './faults.ts';

/** Reads a whole request body. @throws Fault `too_large` as soon as the limit is passed, without reading on. */
export async function readBody(request: IncomingMessage, sizeBytesMax: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > sizeBytesMax) throw gatewayFault.tooLarge(sizeBytesMax);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > sizeBytesMax) throw gatewayFault.tooLarge(sizeBytesMax);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
