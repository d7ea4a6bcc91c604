import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { fromBinary } from '@bufbuild/protobuf';
import { ruleOf } from '@fovea/contract';
import { JsonTrouble, parseJson, type QueryPairs } from '../json/index.ts';
import { type RestRequest, type RouteMatch, requestFrom } from './router.ts';

export interface LargeQuestion {
  readonly id: number;
  readonly verb: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly bytes: Uint8Array;
  /** Whether the keys as sent are needed: for PATCH alone, as copying them back costs as much as reading them. */
  readonly wantsSent: boolean;
}

export interface LargeAnswer {
  readonly id: number;
  readonly rpc?: string;
  readonly binary?: Uint8Array;
  readonly sent?: Record<string, unknown> | undefined;
  readonly trouble?: { readonly field: string; readonly got: string; readonly wanted: string };
  readonly failure?: string;
}

interface Waiting {
  resolve(answer: LargeAnswer): void;
  reject(cause: Error): void;
}

// Memory of the thread is given back after this long without a large body.
const idleMs = 60_000;

/**
 * Reads large JSON bodies in a thread of their own and gets the message back as protobuf bytes, in which
 * media are plain bytes that the main thread only points at.
 *
 * The thread starts with the first body and ends when idle. If it dies, the requests it held fail and the
 * next one starts a new thread.
 */
export function openLargeBodies(workerUrl: URL) {
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let lastId = 0;
  const waiting = new Map<number, Waiting>();

  function end(from: Worker, cause: Error): void {
    if (worker !== from) return;
    worker = undefined;
    for (const { reject } of waiting.values()) reject(cause);
    waiting.clear();
  }

  function started(): Worker {
    if (worker !== undefined) return worker;
    const fresh = new Worker(workerUrl);
    fresh.on('message', (answer: LargeAnswer) => {
      waiting.get(answer.id)?.resolve(answer);
      waiting.delete(answer.id);
      if (waiting.size === 0) rest();
    });
    fresh.on('error', (cause: Error) => end(fresh, cause));
    fresh.on('exit', () => end(fresh, new Error('the thread that reads large bodies ended')));
    worker = fresh;
    return fresh;
  }

  function rest(): void {
    worker?.unref();
    idle = setTimeout(() => void close(), idleMs).unref();
  }

  function ask(question: LargeQuestion): Promise<LargeAnswer> {
    clearTimeout(idle);
    const thread = started();
    thread.ref();
    return new Promise((resolve, reject) => {
      waiting.set(question.id, { resolve, reject });
      thread.postMessage(question, transferable(question.bytes));
    });
  }

  async function read(match: RouteMatch, query: QueryPairs, bytes: Uint8Array): Promise<RestRequest> {
    const wantsSent = match.verb === 'PATCH';
    const answer = await ask({
      id: ++lastId,
      verb: match.verb,
      path: match.path,
      query: [...query],
      bytes,
      wantsSent,
    });
    if (answer.trouble !== undefined) {
      throw new JsonTrouble(answer.trouble.field, answer.trouble.got, answer.trouble.wanted);
    }
    if (answer.rpc === undefined || answer.binary === undefined) throw new Error(answer.failure);
    const rule = ruleOf(answer.rpc);
    return { rule, message: fromBinary(rule.desc.input, answer.binary), sent: answer.sent };
  }

  async function close(): Promise<void> {
    clearTimeout(idle);
    const ending = worker;
    if (ending === undefined) return;
    end(ending, new Error('the server is stopping'));
    await ending.terminate();
  }

  return { read, close };
}

/** A buffer that is wholly ours is given away instead of copied. */
function transferable(bytes: Uint8Array): ArrayBuffer[] {
  const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  return whole ? [bytes.buffer as ArrayBuffer] : [];
}

// Beside the bundle; absent when the sources run unbundled, as in tests.
const builtWorker = new URL('./json-worker.js', import.meta.url);
let shared: ReturnType<typeof openLargeBodies> | undefined;

/**
 * Reads a large request body off the event loop. `bytes` may be given away and must not be used afterwards.
 *
 * @throws JsonTrouble as `requestFrom` does
 */
export async function decodeJsonLarge(
  match: RouteMatch,
  query: QueryPairs,
  bytes: Uint8Array,
): Promise<RestRequest> {
  if (shared === undefined) {
    if (!existsSync(fileURLToPath(builtWorker))) return requestFrom(match, query, parseJson(bytes));
    shared = openLargeBodies(builtWorker);
  }
  return shared.read(match, query, bytes);
}
