import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Person, personWith } from './people.ts';
import { startServer, type TestServer } from './server.ts';

/** A server of its own on one folder, which is made to die at given points and started again. */
export interface Mortal {
  /** Somebody in the app, at the server that runs now. */
  person(): Person;
  readonly dataDir: string;
  /** Starts it anew, armed; asks for something; waits until it has died there; starts it without. */
  dieAt(point: string, ask: (person: Person) => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

export async function openMortal(appId: string): Promise<Mortal> {
  let server: TestServer = await startServer();
  const { dataDir } = server;
  const person = () => personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });
  return {
    person,
    dataDir,
    async dieAt(point, ask) {
      await server.stop({ keep: true });
      server = await startServer({ dataDir, env: { FOVEA_FAILPOINTS: point } });
      const died = once(server.process, 'exit');
      // The answer may be lost with the server; what counts is what is there afterwards.
      await ask(person()).catch(() => {});
      await Promise.race([
        died,
        sleep(30_000, undefined, { ref: false }).then(() => {
          throw new Error(`the server did not die at ${point}`);
        }),
      ]);
      server = await startServer({ dataDir });
    },
    stop: () => server.stop(),
  };
}

/** Asks again and again until there is an answer. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(40);
  }
  throw new Error(`${what} did not happen`);
}
