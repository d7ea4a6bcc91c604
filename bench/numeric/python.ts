import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pinned } from '../harness/server.ts';

/** A Python program that answers one JSON line with another. It measures its own CPU time. */
export interface PythonPeer {
  ask<Answer>(question: object): Promise<Answer>;
  close(): void;
}

/** The Python with these modules: the one named by FOVEA_BENCH_PYTHON, else one on the path; undefined when none has them. */
export function findPython(...modules: string[]): string | undefined {
  const candidates = [process.env.FOVEA_BENCH_PYTHON, 'python3', 'python'].filter((one) => one !== undefined);
  const check = modules.map((name) => `import ${name}`).join('\n');
  return candidates.find((one) => spawnSync(one, ['-c', check], { stdio: 'ignore' }).status === 0);
}

/** Compiled benches lie two folders below the root. */
const peersFolder = new URL('../../bench/peers/', import.meta.url);

export function openPython(python: string, script: string): PythonPeer {
  const [program, ...words] = [...pinned(1), python, fileURLToPath(new URL(script, peersFolder))];
  const child: ChildProcess = spawn(program as string, words, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
    waiting.shift()?.resolve(line),
  );
  child.once('exit', (code) => {
    for (const one of waiting.splice(0)) one.reject(new Error(`${script} ended with ${code}`));
  });
  return {
    async ask(question) {
      const line = await new Promise<string>((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin?.write(`${JSON.stringify(question)}\n`);
      });
      return JSON.parse(line);
    },
    close: () => void child.kill(),
  };
}
