import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file server of a test's own, on this machine. */
export interface Stub {
  readonly url: string;
  /** Method and URL of what was asked, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL, body: string) => unknown;

export async function stubOf(answer: Answer): Promise<Stub> {
  const asked: string[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    asked.push(`${request.method} ${request.url}`);
    const url = new URL(request.url ?? '/', 'http://stub');
    await answer(request, response, url, Buffer.concat(chunks).toString());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export type Files = Map<string, Buffer>;

/** Folders as Apache shows them, and files. */
export function webStub(files: Files): Promise<Stub> {
  return stubOf((_request, response, url) => {
    const path = decodeURIComponent(url.pathname).slice(1);
    const found = files.get(path);
    if (found) return response.end(found);
    const below = [...files.keys()].filter(
      (key) => key.startsWith(path) && (path === '' || path.endsWith('/')),
    );
    if (below.length === 0) return response.writeHead(404).end();
    const names = new Set(below.map((key) => key.slice(path.length).replace(/\/.*$/, '/')));
    const links = [...names].map((name) => `<a href="${encodeURI(name)}">${name}</a>`);
    response.writeHead(200, { 'content-type': 'text/html' });
    return response.end(
      `<html><a href="?C=N;O=D">Name</a><a href="../">Up</a><a href="https://elsewhere.example/x.png">x</a>${links.join('\n')}</html>`,
    );
  });
}
