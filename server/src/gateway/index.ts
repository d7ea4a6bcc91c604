import type { Server } from 'node:net';
import type { Service } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Authorizer } from './authorize.ts';
import { openDispatcher } from './dispatch.ts';
import { openGrpc } from './grpc.ts';
import { type HttpRoute, openHttp } from './http.ts';
import type { NameStyle } from './json/index.ts';
import type { GatewayLog, GatewayMetrics } from './observe.ts';
import { openPort } from './port.ts';
import { openRateLimiter, type RateLimit } from './rate-limit.ts';

export { type Authorizer, type HeaderOf, openAuthorizer } from './authorize.ts';
export { gatewayFault } from './faults.ts';
export type { HttpContext, HttpRoute } from './http.ts';
export { encodeJson } from './json/index.ts';
export { referenceRoutes } from './openapi/index.ts';

export interface GatewayParts {
  service: Service<Call>;
  authorizer: Authorizer;
  routes: readonly HttpRoute[];
  log: GatewayLog;
  metrics: GatewayMetrics;
  names: NameStyle;
  requestBytesMax: number;
  rateLimit?: RateLimit | undefined;
  tls?: { cert: Buffer; key: Buffer } | undefined;
}

const largeBodyBytes = 256 * 1024;

/** Opens the whole wire; `listen` binds the one port. */
export function openGateway(parts: GatewayParts) {
  const limiter = parts.rateLimit && openRateLimiter(parts.rateLimit);
  const dispatcher = openDispatcher({ ...parts, limiter });
  const grpc = openGrpc(dispatcher, { requestBytesMax: parts.requestBytesMax });
  const http = openHttp({
    dispatcher,
    routes: parts.routes,
    rest: { requestBytesMax: parts.requestBytesMax, largeBodyBytes, names: parts.names },
    log: parts.log,
  });
  const port: Server = openPort({ tls: parts.tls, onHttp2: grpc.accept, onHttp1: http.accept });
  return {
    listen: (host: string, portNumber: number) =>
      new Promise<number>((resolve, reject) => {
        port.once('error', reject);
        port.listen(portNumber, host, () => {
          port.removeListener('error', reject);
          resolve((port.address() as { port: number }).port);
        });
      }),
    /** Stops taking connections, lets running requests finish, then closes. */
    async close(graceMs: number): Promise<void> {
      const closed = new Promise<void>((resolve) => port.close(() => resolve()));
      http.close(graceMs);
      await grpc.close(graceMs);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, graceMs).unref())]);
    },
  };
}
