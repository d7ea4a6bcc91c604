import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fsyncSync, openSync, renameSync } from 'node:fs';
import { setPriority } from 'node:os';
import { Index, MetricKind, ScalarKind } from 'usearch';

/**
 * Builds and serves graph indexes in a process of its own: the library aborts the process that opens a damaged
 * file, and every call blocks its thread. Speaks only with its parent, and ends with it.
 */
export type ToGraph =
  | { kind: 'begin'; number: number; dims: number }
  | { kind: 'add'; number: number; firstId: number; vectors: Float32Array }
  | { kind: 'save'; number: number; file: string }
  | { kind: 'open'; number: number; graph: number; file: string; sha256: string; dims: number }
  | { kind: 'search'; number: number; graph: number; query: Float32Array; k: number }
  | { kind: 'forget'; number: number; graph: number };

export type FromGraph =
  | { number: number; ok: true; sha256?: string; ids?: Int32Array }
  | { number: number; ok: false; message: string };

const newIndex = (dims: number) =>
  new Index({
    dimensions: dims,
    metric: MetricKind.Cos,
    // Who is near is said by 8 bits a number, how near by the vectors themselves: half the bytes, twice as fast.
    quantization: ScalarKind.I8,
    connectivity: 16,
    expansion_add: 128,
    expansion_search: 64,
    multi: false,
  });

const open = new Map<number, Index>();
let building: Index | undefined;

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function add(firstId: number, vectors: Float32Array, index: Index): void {
  const rows = vectors.length / index.dimensions();
  const ids = BigUint64Array.from({ length: rows }, (_, row) => BigInt(firstId + row));
  index.add(ids, vectors, 1);
}

/** Written aside, synced, renamed: a file under its final name is whole, or was damaged later. */
async function save(file: string, index: Index): Promise<string> {
  const aside = `${file}.${process.pid}.part`;
  index.save(aside);
  const handle = openSync(aside, 'r+');
  fsyncSync(handle);
  closeSync(handle);
  const sha256 = await sha256Of(aside);
  renameSync(aside, file);
  return sha256;
}

async function answer(message: ToGraph): Promise<Partial<Extract<FromGraph, { ok: true }>>> {
  switch (message.kind) {
    case 'begin':
      building = newIndex(message.dims);
      return {};
    case 'add':
      if (building === undefined) throw new Error('nothing is being built');
      add(message.firstId, message.vectors, building);
      return {};
    case 'save': {
      if (building === undefined) throw new Error('nothing is being built');
      const sha256 = await save(message.file, building);
      building = undefined;
      return { sha256 };
    }
    case 'open': {
      const found = await sha256Of(message.file);
      if (found !== message.sha256) throw new Error('the graph file does not match its checksum');
      const index = newIndex(message.dims);
      // Mapped, not read: the pages are shared with the file cache and given back under pressure.
      index.view(message.file);
      open.set(message.graph, index);
      return {};
    }
    case 'search': {
      const index = open.get(message.graph);
      if (index === undefined) throw new Error('this graph is not open');
      const { keys } = index.search(message.query, message.k, 1);
      return { ids: Int32Array.from(keys, Number) };
    }
    case 'forget':
      open.delete(message.graph);
      return {};
  }
}

process.on('message', (message: ToGraph) => {
  if (message.kind === 'begin') setPriority(10);
  answer(message).then(
    (facts) => process.send?.({ number: message.number, ok: true, ...facts } satisfies FromGraph),
    (error: unknown) => {
      const words = error instanceof Error ? error.message : String(error);
      process.send?.({ number: message.number, ok: false, message: words } satisfies FromGraph);
    },
  );
});
process.on('disconnect', () => process.exit(0));
// The terminal signals the whole group; the parent decides when this process ends.
process.on('SIGINT', () => {});
