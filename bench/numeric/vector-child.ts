import { openSync, readFileSync, readSync, statSync } from 'node:fs';
import {
  openVectorHost,
  type SearchResult,
  type VectorHost,
  type VectorIndex,
} from '../../server/src/engine/vector/index.ts';

/** Our vector engine in a process of its own, so that its CPU time stands alone. Speaks with its parent only. */
export type VectorQuestion =
  | { kind: 'open'; dir: string; flatMax: number }
  /** Takes rows `from`..`until` (excluded) of the file; the key of a row is its number plus `firstKey`. */
  | {
      kind: 'upsert';
      scope: string;
      dims: number;
      file: string;
      from: number;
      until: number;
      firstKey: number;
    }
  | { kind: 'settle'; scope: string; timeoutMs: number }
  /** Each query of the file `repeats` times, one after the other. `candidatesFile` holds keys as float64. */
  | {
      kind: 'search';
      scope: string;
      queryFile: string;
      queries: number;
      k: number;
      repeats: number;
      candidatesFile?: string;
    }
  | { kind: 'drop'; scope: string }
  /** Bytes that vectors and their tables take. */
  | { kind: 'held' };

export interface Searched {
  readonly keys: number[][];
  readonly latenciesMs: number[];
  /** How many of the searches asked the graph. */
  readonly byGraph: number;
  readonly searches: number;
}

let host: VectorHost | undefined;
const scopes = new Map<string, VectorIndex>();
const log = { info: () => {}, warn: (facts: object, message: string) => console.error(message, facts) };
const rowsPerStep = 2_000;

function floatsIn(file: string): Float32Array {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function rowsKept(file: string, dims: number): (first: number, end: number) => Float32Array {
  const floats = kept(file);
  return (first, end) => floats.subarray(first * dims, end * dims);
}

/** Larger files are read piece by piece: what is measured is the memory of the engine. */
const keptBytesMax = 2 ** 29;

function streamed(file: string, dims: number): (first: number, end: number) => Float32Array {
  const handle = openSync(file, 'r');
  return (first, end) => {
    const floats = new Float32Array((end - first) * dims);
    readSync(handle, floats, 0, floats.byteLength, first * dims * 4);
    return floats;
  };
}

let last: { file: string; floats: Float32Array } | undefined;
/** The file read last stays: reading it is not what is measured. */
function kept(file: string): Float32Array {
  if (last?.file !== file) last = { file, floats: floatsIn(file) };
  return last.floats;
}

async function upsert({
  scope,
  dims,
  file,
  from,
  until,
  firstKey,
}: Extract<VectorQuestion, { kind: 'upsert' }>) {
  const index = scopes.get(scope) ?? (host as VectorHost).scope(scope, dims);
  scopes.set(scope, index);
  const rowsOf = statSync(file).size > keptBytesMax ? streamed(file, dims) : rowsKept(file, dims);
  const before = process.cpuUsage();
  for (let row = from; row < until; row += rowsPerStep) {
    const end = Math.min(until, row + rowsPerStep);
    const keys = Array.from({ length: end - row }, (_, i) => firstKey + row + i);
    index.upsert(keys, rowsOf(row, end));
  }
  const { user, system } = process.cpuUsage(before);
  return { size: index.size, cpuMs: (user + system) / 1000 };
}

async function settle(scope: string, timeoutMs: number) {
  const index = scopes.get(scope) as VectorIndex;
  const until = performance.now() + timeoutMs;
  while (index.graphState !== 'ready' && index.graphState !== 'failed' && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { state: index.graphState };
}

async function search(question: Extract<VectorQuestion, { kind: 'search' }>): Promise<Searched> {
  const index = scopes.get(question.scope) as VectorIndex;
  const floats = floatsIn(question.queryFile);
  const candidates = question.candidatesFile === undefined ? undefined : doublesIn(question.candidatesFile);
  const [keys, latenciesMs]: [number[][], number[]] = [[], []];
  let byGraph = 0;
  for (let repeat = 0; repeat < question.repeats; repeat++) {
    for (let q = 0; q < question.queries; q++) {
      const query = floats.slice(q * index.dims, (q + 1) * index.dims);
      const began = performance.now();
      const found: SearchResult = await index.search(query, question.k, { metric: 'cosine', candidates });
      latenciesMs.push(performance.now() - began);
      if (found.way === 'graph') byGraph++;
      if (repeat === 0) keys.push(found.keys);
    }
  }
  return { keys, latenciesMs, byGraph, searches: latenciesMs.length };
}

function doublesIn(file: string): Float64Array {
  const bytes = readFileSync(file);
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
}

async function answer(question: VectorQuestion): Promise<object> {
  switch (question.kind) {
    case 'open':
      host = openVectorHost({ dir: question.dir, flatMax: question.flatMax, log });
      return {};
    case 'upsert':
      return upsert(question);
    case 'settle':
      return settle(question.scope, question.timeoutMs);
    case 'search':
      return search(question);
    case 'held':
      return { bytes: (host as VectorHost).bytesHeld };
    case 'drop':
      scopes.get(question.scope)?.drop();
      scopes.delete(question.scope);
      return {};
  }
}

process.on('message', (question: VectorQuestion) => {
  answer(question).then(
    (reply) => process.send?.(reply),
    (error) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
