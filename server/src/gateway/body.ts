import type { IncomingMessage } from 'node:http';

/** Whether a body may grow beyond `sizeBytes`: it says so, or does not say how large it is. */
export const mayBeLarge = (request: IncomingMessage, sizeBytes: number): boolean =>
  request.headers['transfer-encoding'] !== undefined ||
  Number(request.headers['content-length'] ?? 0) > sizeBytes;
