import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from './bench.ts';
import { ask } from './load.ts';
import { cpuDuring } from './processes.ts';
import { pinned } from './server.ts';

export interface Peer {
  readonly pid: number;
  ask<Answer>(question: object): Promise<Answer>;
  /** Milliseconds of CPU that a question costs the peer, and with `serverPid` those processes too (its database). */
  cpuMs(question: object, serverPid?: number): Promise<number>;
}

/**
 * A process to compare with, on the server's core. `name` is that of a `*-child.ts` file: it gets each question as
 * a message and answers it by one.
 */
export function openPeer(context: Pick<BenchContext, 'defer'>, name: string): Peer {
  const path = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const [program, ...words] = [...pinned(0), process.execPath, path];
  const child = spawn(program as string, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  context.defer(() => {
    child.kill();
    return ended;
  });
  const pid = child.pid as number;
  return {
    pid,
    ask: (question) => ask(child, question),
    async cpuMs(question, serverPid) {
      const own = await cpuDuring(pid, async () => {
        if (serverPid === undefined) {
          await ask(child, question);
          return 0;
        }
        return (await cpuDuring(serverPid, () => ask(child, question))).tree;
      });
      return own.tree + own.result;
    },
  };
}

/** Folder of the Unix socket of a server's PostgreSQL: the fifth line of its pid file. */
export const socketOf = (dataDir: string): string =>
  readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[4] as string;
