import { Agent, request } from 'node:http';

// biome-ignore lint/suspicious/noExplicitAny: replies of every shape are looked into
export type Json = any;

export interface Reply {
  readonly http: number;
  readonly json: Json;
}

/** REST calls whose outcome is told apart: a reply, or none. */
export interface Wire {
  /** @throws Error when no whole reply came: what the server did is unknown */
  call(verb: string, path: string, body?: unknown, timeoutMs?: number): Promise<Reply>;
  /** As `call`. @throws Error also when the reply is no success */
  must(verb: string, path: string, body?: unknown, timeoutMs?: number): Promise<Json>;
  bytes(path: string): Promise<Buffer>;
  isReady(): Promise<boolean>;
  close(): void;
}

export function openWire(port: number, key: string): Wire {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  const send = (verb: string, path: string, body: string | undefined, timeoutMs: number) =>
    new Promise<{ http: number; bytes: Buffer }>((resolve, reject) => {
      const headers = {
        authorization: `Key ${key}`,
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      };
      const sent = request({ host: '127.0.0.1', port, method: verb, path, headers, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('close', () => {
          if (!response.complete) return reject(new Error('the reply was cut off'));
          resolve({ http: response.statusCode ?? 0, bytes: Buffer.concat(chunks) });
        });
      });
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`no reply within ${timeoutMs} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });

  const call = async (verb: string, path: string, body?: unknown, timeoutMs = 20_000): Promise<Reply> => {
    const { http, bytes } = await send(
      verb,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      timeoutMs,
    );
    const text = bytes.toString();
    return { http, json: text.startsWith('{') ? JSON.parse(text) : text };
  };

  return {
    call,
    async must(verb, path, body, timeoutMs) {
      const { http, json } = await call(verb, path, body, timeoutMs);
      if (http === 200 && json.status?.code === 10000) return json;
      throw new Error(`${verb} ${path}: ${http} ${JSON.stringify(json.status ?? json)}`);
    },
    async bytes(path) {
      const { http, bytes } = await send('GET', path, undefined, 20_000);
      if (http !== 200) throw new Error(`GET ${path}: ${http}`);
      return bytes;
    },
    isReady: () =>
      send('GET', '/readyz', undefined, 2_000).then(
        ({ http }) => http === 200,
        () => false,
      ),
    close: () => agent.destroy(),
  };
}
