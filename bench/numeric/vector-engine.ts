import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../harness/bench.ts';
import { ask } from '../harness/load.ts';
import { cpuDuring } from '../harness/processes.ts';
import { pinned } from '../harness/server.ts';
import type { Searched, VectorQuestion } from './vector-child.ts';

/** Threads and processes of the engine, as the server's build made them, have to lie beside the compiled benches. */
export function bringEntries(context: BenchContext, ...names: string[]): void {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const name of names) {
    const target = join(here, `${name}.js`);
    if (!existsSync(target)) copyFileSync(join(dirname(context.serverMain), `${name}.js`), target);
  }
}

export interface VectorEngine {
  readonly pid: number;
  ask<Answer = object>(question: VectorQuestion): Promise<Answer>;
  /** Milliseconds of CPU per search, of all threads and processes of the engine, and what was found. */
  searchCost(
    question: Omit<Extract<VectorQuestion, { kind: 'search' }>, 'kind'>,
  ): Promise<Searched & { cpuMsEach: number }>;
  close(): void;
}

export async function openVectorEngine(
  context: BenchContext,
  options: { dir: string; flatMax: number },
): Promise<VectorEngine> {
  bringEntries(context, 'vector-worker', 'graph-process');
  const path = fileURLToPath(new URL('./vector-child.js', import.meta.url));
  const [program, ...words] = [...pinned(0), process.execPath, path];
  const child: ChildProcess = spawn(program as string, words, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const engine: VectorEngine = {
    pid: child.pid as number,
    ask: (question) => ask(child, question),
    async searchCost(question) {
      const { tree, result } = await cpuDuring(engine.pid, () =>
        ask<Searched>(child, { kind: 'search', ...question }),
      );
      return { ...result, cpuMsEach: tree / result.searches };
    },
    close: () => void child.kill(),
  };
  context.defer(() => engine.close());
  await engine.ask({ kind: 'open', ...options });
  return engine;
}
