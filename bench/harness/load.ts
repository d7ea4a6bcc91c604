import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pinned } from './server.ts';

/** Calls to make against one address; bodies are used in turn. */
export interface LoadPlan {
  readonly transport: 'grpc' | 'rest';
  readonly url: string;
  /** gRPC: `/package.Service/Method`; REST: path with query. */
  readonly path: string;
  readonly verb?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Base64, without gRPC framing. */
  readonly bodies: readonly string[];
  readonly concurrency: number;
  /** Never more than this many calls, nor longer than this. */
  readonly requestsMax: number;
  readonly timeMsMax: number;
  /** Calls per second at fixed times, waiting for none; without it each caller waits for its answer. */
  readonly ratePerSecond?: number;
  /** Gives the last reply back as well. */
  readonly keepReply?: boolean;
  /** Tells the latencies of each status code apart (gRPC): refusals come as messages too. */
  readonly byCode?: boolean;
}

export interface LoadResult {
  readonly completed: number;
  readonly failed: number;
  readonly wallMs: number;
  /** From the intended start to the last byte, sorted. At most 20,000 of them, evenly taken. */
  readonly latenciesMs: readonly number[];
  readonly bytes: number;
  readonly reply?: string;
  readonly trouble?: string;
  /** With `byCode`: sorted latencies of each status code. */
  readonly codes?: Readonly<Record<string, readonly number[]>>;
}

export interface LoadGenerator {
  run(plan: LoadPlan): Promise<LoadResult>;
  close(): void;
}

/** A process of its own, away from the server's core, that makes calls and keeps its connections between plans. */
export function openLoad(): LoadGenerator {
  const [program, ...words] = [
    ...pinned(1),
    process.execPath,
    fileURLToPath(new URL('./load-child.js', import.meta.url)),
  ];
  const child = spawn(program as string, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return {
    async run(plan) {
      const result = await ask<LoadResult>(child, plan);
      if (result.completed === 0) throw new Error(`no call to ${plan.path} succeeded: ${result.trouble}`);
      if (result.failed > 0)
        throw new Error(`${result.failed} calls to ${plan.path} failed: ${result.trouble}`);
      return result;
    },
    close: () => void child.kill(),
  };
}

/** Sends one message to a child and waits for its one answer. */
export function ask<Answer>(child: ChildProcess, question: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the child process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (answer) => {
      child.removeListener('exit', ended);
      const { error } = answer as { error?: string };
      if (error === undefined) resolve(answer as Answer);
      else reject(new Error(error));
    });
    child.send(question as object);
  });
}
