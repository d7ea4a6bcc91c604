import type { IncomingMessage } from 'node:http';
import { readWhole } from '#domain/whole-body.ts';
import { gatewayFault } from './faults.ts';

/** Whether a body may grow beyond `sizeBytes`: it says so, or does not say how large it is. */
export const mayBeLarge = (request: IncomingMessage, sizeBytes: number): boolean =>
  request.headers['transfer-encoding'] !== undefined ||
  Number(request.headers['content-length'] ?? 0) > sizeBytes;

/** Reads a whole request body. @throws Fault `too_large`, or `bad_request` when the caller hangs up halfway */
export const readBody = (request: IncomingMessage, sizeBytesMax: number): Promise<Buffer> =>
  readWhole(request, sizeBytesMax, {
    tooLarge: gatewayFault.tooLarge,
    cutOff: () => gatewayFault.badFormat('The body ended before it was whole.'),
  });
