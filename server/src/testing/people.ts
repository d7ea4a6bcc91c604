import { inject } from 'vitest';
import { openClient, type TestClient } from './client.ts';

declare module 'vitest' {
  interface ProvidedContext {
    foveaUrl: string;
    foveaPat: string;
  }
}

/** Somebody signed in, with an app of their own: the usual cast of a test. */
export interface Person {
  readonly url: string;
  readonly userId: string;
  readonly pat: string;
  readonly appId: string;
  /** gRPC calls in this person's app. */
  readonly client: TestClient;
  /** REST: path may be relative to the app (`concepts`) or absolute (`/v2/…`). The body is parsed JSON. */
  rest(
    verb: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ http: number; json: Json }>;
  /** gRPC calls with another key, or in another app. */
  as(options: {
    pat?: string;
    userId?: string;
    appId?: string;
    headers?: Record<string, string>;
  }): TestClient;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into replies of every shape
export type Json = any;

/** Address of the server that all front-door tests share: started once, or given by FOVEA_TEST_URL/_PAT. */
export const serverUrl = (): string => process.env.FOVEA_TEST_URL ?? inject('foveaUrl');
export const adminPat = (): string => process.env.FOVEA_TEST_PAT ?? inject('foveaPat');

let count = 0;
const unique = (name: string) => `${name}-${process.pid}-${Date.now().toString(36)}-${count++}`;

/**
 * A new user with a token for every scope and an empty app. `workflow` is the app's base workflow: `Empty`
 * unless the test is about indexing.
 */
export async function signedIn(
  name: string,
  options: { workflow?: string; app?: boolean; visibility?: number } = {},
): Promise<Person> {
  const url = serverUrl();
  const userId = unique(name);
  const made = await fetch(`${url}/v2/ext/fovea/users`, {
    method: 'POST',
    headers: { authorization: `Key ${adminPat()}` },
    body: JSON.stringify({ id: userId, visibility: options.visibility ?? 10 }),
  });
  const { personal_access_token: pat } = (await made.json()) as { personal_access_token: string };
  const appId = unique('app');
  const person = personWith({ url, userId, pat, appId });
  if (options.app !== false) {
    const reply = await person.client.postApps({
      userAppId: { userId: 'me', appId: '' },
      apps: [
        {
          id: appId,
          defaultWorkflow: { id: options.workflow ?? 'Empty', appId: 'main', userId: 'clarifai' },
        },
      ],
    });
    if (reply.status?.code !== 10000) throw new Error(`no app for ${name}: ${reply.status?.details}`);
  }
  return person;
}

export function personWith(parts: { url: string; userId: string; pat: string; appId: string }): Person {
  const { url, userId, pat, appId } = parts;
  const target = new URL(url).host;
  const clientWith = (key: string, user: string, app: string, headers: Record<string, string> = {}) =>
    openClient(target, { authorization: `Key ${key}`, ...headers }, { userId: user, appId: app }).client;
  return {
    ...parts,
    client: clientWith(pat, userId, appId),
    as: (options) =>
      clientWith(options.pat ?? pat, options.userId ?? userId, options.appId ?? appId, options.headers),
    async rest(verb, path, body, headers = {}) {
      const full = path.startsWith('/') ? path : `/v2/users/${userId}/apps/${appId}/${path}`;
      const response = await fetch(url + full, {
        method: verb,
        headers: { authorization: `Key ${pat}`, ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { http: response.status, json: text.startsWith('{') ? (JSON.parse(text) as Json) : text };
    },
  };
}
