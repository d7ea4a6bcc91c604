import { pat } from './server.ts';

interface Where {
  readonly url: string;
}

/** One call over REST. @throws Error with the reply's status when it is no success */
export async function rest<Reply = Record<string, unknown>>(
  { url }: Where,
  verb: string,
  path: string,
  body?: unknown,
): Promise<Reply> {
  const response = await fetch(url + path, {
    method: verb,
    headers: { authorization: `Key ${pat}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const reply = (await response.json()) as { status?: { code: number; details?: string } };
  if (response.ok && (reply.status?.code ?? 10000) === 10000) return reply as Reply;
  throw new Error(`${verb} ${path}: ${response.status} ${JSON.stringify(reply.status)}`);
}

/** Waits until something is so. @throws Error when it is not within the time */
export async function until(what: string, isSo: () => Promise<boolean>, patienceMs = 60_000): Promise<void> {
  for (const began = performance.now(); performance.now() - began < patienceMs; ) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${patienceMs / 1000} s`);
}
