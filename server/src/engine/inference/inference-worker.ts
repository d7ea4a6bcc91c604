import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { splitTensors, stackTensors } from './batch.ts';
import type { InferenceWorkerData, ItemResult, Tensors, WorkerReply, WorkerRequest } from './messages.ts';
import { reduceOutputs } from './reductions.ts';
import { Sessions } from './sessions.ts';

if (parentPort === null) throw new Error('inference-worker runs as a worker thread');
const port = parentPort;
const { sessionsMax, niceness } = workerData as InferenceWorkerData;
const sessions = new Sessions(sessionsMax);
stepBack();
type RunRequest = Extract<WorkerRequest, { kind: 'run' }>;

// One after another: closing must wait for the run before it.
let last = Promise.resolve();
port.on('message', (request: WorkerRequest) => {
  last = last.then(() => answer(request));
});

/** Leaves the processor to threads that answer or wait for an answer; where the system cannot say which thread this is, not. */
function stepBack(): void {
  try {
    // On Linux priorities are those of threads: `<process>/task/<thread>`.
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), niceness);
  } catch {
    // Another system.
  }
}

async function answer(request: WorkerRequest): Promise<void> {
  if (request.kind === 'close') {
    await sessions.close();
    port.close();
    return;
  }
  try {
    if (request.kind === 'describe') {
      reply({ kind: 'described', id: request.id, ...(await sessions.describe(request.file)) });
    } else {
      reply({ kind: 'results', id: request.id, results: await runItems(request) });
    }
  } catch (error) {
    reply({ kind: 'failed', id: request.id, reason: wordsOf(error) });
  }
}

/**
 * Runs a batch; when it fails, runs its items one by one, so that only the items at fault fail.
 */
async function runItems(request: RunRequest): Promise<ItemResult[]> {
  const { items } = request;
  if (items.length > 1) {
    try {
      const rows = items.map((item) => Object.values(item)[0]?.dims[0] ?? 1);
      const outputs = splitTensors(
        await sessions.run(request.file, stackTensors(items), request.outputs),
        rows,
      );
      return outputs.map((output) => finished(request, output));
    } catch {
      // Fall through: alone, each item shows whether it was the one at fault.
    }
  }
  const results: ItemResult[] = [];
  for (const item of items) results.push(await runAlone(request, item));
  return results;
}

async function runAlone(request: RunRequest, item: Tensors): Promise<ItemResult> {
  try {
    return finished(request, await sessions.run(request.file, item, request.outputs));
  } catch (error) {
    return { ok: false, reason: wordsOf(error) };
  }
}

function finished(request: RunRequest, outputs: Tensors): ItemResult {
  return { ok: true, value: request.reduction ? reduceOutputs(outputs, request.reduction) : outputs };
}

function reply(message: WorkerReply): void {
  port.postMessage(message);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
