import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { CallMeta, Dispatcher } from './dispatch.ts';
import { requestIdOf } from './dispatch.ts';
import { gatewayFault } from './faults.ts';
import { answerGrpcWeb, isGrpcWeb } from './grpc-web.ts';
import type { GatewayLog } from './observe.ts';
import { urlOf } from './request-url.ts';
import { answerBare, answerRest, type RestOptions } from './rest/answer.ts';
import { asFault } from './status.ts';

/** A plain HTTP route beside the contract: media, metrics, health, web page. */
export interface HttpRoute {
  readonly verb: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Exact path, a prefix where it ends in `/*`, or a pattern. */
  readonly path: string | RegExp;
  answer(request: IncomingMessage, response: ServerResponse, context: HttpContext): Promise<void>;
}

export interface HttpContext {
  readonly url: URL;
  readonly requestId: string;
  readonly header: CallMeta['header'];
}

/** HTTP/1.1: REST, gRPC-Web and the plain routes. */
export function openHttp(parts: {
  dispatcher: Dispatcher;
  routes: readonly HttpRoute[];
  rest: RestOptions;
  log: GatewayLog;
}) {
  const exact = new Map(parts.routes.filter(isExact).map((route) => [`${route.verb} ${route.path}`, route]));
  const others = parts.routes.filter((route) => !isExact(route));

  function plainRoute(verb: string, path: string): HttpRoute | undefined {
    const asked = verb === 'HEAD' ? 'GET' : verb;
    return (
      exact.get(`${asked} ${path}`) ??
      others.find((route) => route.verb === asked && reaches(route.path, path))
    );
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowOrigins(request, response);
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    const aborter = new AbortController();
    open.add(response);
    if (isClosing) askToLeave(response);
    response.once('close', () => {
      open.delete(response);
      if (!response.writableFinished) aborter.abort();
      if (isClosing) setImmediate(() => server.closeIdleConnections());
    });
    const header = headerOf(request);
    const meta = { header, signal: aborter.signal, host: header('host') };
    if (isGrpcWeb(request)) return answerGrpcWeb(parts.dispatcher, request, response, meta, parts.rest);
    const url = urlOf(request);
    const route = plainRoute(request.method ?? 'GET', url.pathname);
    if (/%00/.test(url.pathname) || (route && !isDecodable(url.pathname))) {
      const fault = gatewayFault.badFormat('The path holds a percent sign that encodes no character.');
      return answerBare(response, fault, requestIdOf(header), {});
    }
    if (route) return route.answer(request, response, { url, requestId: requestIdOf(header), header });
    return answerRest(parts.dispatcher, request, response, meta, parts.rest);
  }

  const open = new Set<ServerResponse>();
  let isClosing = false;
  const limits = { keepAliveTimeout: 65_000, headersTimeout: 20_000, connectionsCheckingInterval: 5_000 };
  const server = http.createServer(limits, (request, response) => {
    answer(request, response).catch((thrown: unknown) => fail(request, response, thrown));
  });
  // The port listens, not this server; without the event Node would watch over none of the limits above.
  server.emit('listening');

  function fail(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
    const fault = asFault(thrown);
    const requestId = requestIdOf(headerOf(request));
    if (fault.kind === 'internal')
      parts.log.error(
        { requestId, path: request.url?.split('?')[0], cause: fault.cause ?? fault },
        fault.log ?? fault.details,
      );
    if (response.headersSent) response.destroy();
    else answerBare(response, fault, requestId, {});
  }

  return {
    accept: (socket: Socket) => {
      server.emit('connection', socket);
    },
    /** Closes connections as they fall idle, and the rest after `graceMs`. Whoever holds the port waits for them. */
    close(graceMs: number): void {
      isClosing = true;
      for (const response of open) askToLeave(response);
      server.close();
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), graceMs).unref();
    },
  };
}

/** A client that always has a next request would never let its connection fall idle. */
function askToLeave(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

const isExact = (route: HttpRoute): boolean => typeof route.path === 'string' && !route.path.endsWith('/*');
const reaches = (route: string | RegExp, path: string): boolean =>
  typeof route === 'string' ? path.startsWith(route.slice(0, -1)) : route.test(path);

const headerOf =
  (request: IncomingMessage) =>
  (name: string): string | undefined => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };

/** Browsers elsewhere may call with a key; cookies are never accepted across origins, so any origin is harmless. */
function allowOrigins(request: IncomingMessage, response: ServerResponse): void {
  if (!request.headers.origin) return;
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-allow-methods', 'GET, POST, PATCH, PUT, DELETE, OPTIONS');
  response.setHeader(
    'access-control-allow-headers',
    request.headers['access-control-request-headers'] ?? '*',
  );
  response.setHeader('access-control-expose-headers', 'grpc-status, grpc-message, content-range');
  response.setHeader('access-control-max-age', '86400');
}
