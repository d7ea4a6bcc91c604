import http from 'node:http';
import type { HttpRoute } from '#gateway/index.ts';
import type { Metrics } from '#metrics.ts';
import type { Database } from '#store/postgres/index.ts';

/** Plain HTTP beside the contract: health, metrics, and what clients probe. */
export function plainRoutes(parts: { db: Database; metrics: Metrics }): HttpRoute[] {
  const text = (path: string, contentType: string, body: () => Promise<string>): HttpRoute => ({
    verb: 'GET',
    path,
    async answer(_request, response) {
      const shown = await body();
      response.writeHead(200, { 'content-type': contentType }).end(shown);
    },
  });
  return [
    text('/healthz', 'text/plain; charset=utf-8', async () => 'ok\n'),
    text('/metrics', parts.metrics.registry.contentType, () => parts.metrics.registry.metrics()),
    // The Python client only probes whether TLS is spoken here; any 200 will do (SEMANTICS 5.24).
    text(
      '/v2/auth/methods',
      'application/json; charset=utf-8',
      async () => '{"methods":["key","session_token"]}',
    ),
    {
      verb: 'GET',
      path: '/readyz',
      async answer(_request, response) {
        const ready = await parts.db.query('select 1').then(
          () => true,
          () => false,
        );
        response.writeHead(ready ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' });
        response.end(ready ? 'ready\n' : 'the database does not answer\n');
      },
    },
  ];
}

/** All that a process without the role `api` answers: whether it lives, and its figures. */
export async function openHealth(routes: readonly HttpRoute[], host: string, portNumber: number) {
  const server = http.createServer((request, response) => {
    const [path] = (request.url ?? '/').split('?');
    const route = routes.find((known) => known.verb === request.method && known.path === path);
    if (!route) return void response.writeHead(404).end();
    const context = { url: new URL(`http://local${path}`), requestId: '', header: () => undefined };
    route.answer(request, response, context).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(portNumber, host, resolve);
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
