import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';
import { CliFault, exitCode } from './faults.ts';

// biome-ignore lint/suspicious/noExplicitAny: replies have the shape of the contract's JSON
export type Json = any;

export interface Api {
  readonly url: string;
  json(verb: string, path: string, body?: object): Promise<Json>;
  /** One request with bare bytes; the caller reads the reply. */
  raw(
    verb: string,
    path: string,
    options?: { body?: Uint8Array; headers?: Record<string, string> },
  ): Promise<Response>;
}

const triesMax = 4;

export function openApi({ url, pat }: Connection): Api {
  const raw: Api['raw'] = async (verb, path, { body, headers = {} } = {}) => {
    for (let tries = 1; ; tries++) {
      try {
        const reply = await fetch(path.startsWith('http') ? path : `${url}${path}`, {
          method: verb,
          headers: { authorization: `Key ${pat}`, ...headers },
          ...(body ? { body: new Blob([new Uint8Array(body)]) } : {}),
        });
        const isBusy = reply.status === 429 || reply.status === 503;
        if (!isBusy || tries === triesMax) return reply;
        await reply.body?.cancel();
      } catch (error) {
        // Reading and putting may be tried again; what would be made twice may not.
        if (tries === triesMax || verb === 'POST') throw unreachable(url, error);
      }
      await sleep(250 * 2 ** tries);
    }
  };
  return {
    url,
    raw,
    async json(verb, path, body) {
      const reply = await raw(verb, path, {
        ...(body ? { body: Buffer.from(JSON.stringify(body)) } : {}),
        headers: { 'content-type': 'application/json' },
      });
      const text = await reply.text();
      let value: Json;
      try {
        value = JSON.parse(text);
      } catch {
        throw new CliFault(
          `${url} answered ${reply.status} without JSON; is it a Fovea server?`,
          exitCode.unreachable,
        );
      }
      const { code, description, details } = value?.status ?? {};
      if (reply.ok && (code === undefined || code === 10000 || code === 10010)) return value;
      throw new CliFault(
        `${details || description || `status ${reply.status}`} (${code ?? reply.status})`,
        codeOf(reply.status),
      );
    },
  };
}

const codeOf = (http: number): number =>
  http === 401 || http === 403 ? exitCode.denied : http === 404 ? exitCode.missing : exitCode.failed;

function unreachable(url: string, error: unknown): CliFault {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return new CliFault(`${url} cannot be reached (${cause?.code ?? message}).`, exitCode.unreachable);
}
