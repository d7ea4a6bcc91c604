import { rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { Index, MetricKind, ScalarKind } from 'usearch';
import { writeWhole } from './graph-files.ts';
import { type GraphLinks, linksAbove, linksOfUsearch, packLinks } from './graph-links.ts';

/**
 * Builds graphs in a process of its own: the library may end its process, and every call blocks its thread. What is
 * kept of its work are the links. Speaks only with its parent, and ends with it.
 */
export type ToGraph =
  | { kind: 'begin'; number: number; dims: number }
  | { kind: 'add'; number: number; firstId: number; vectors: Float32Array }
  | { kind: 'save'; number: number; file: string };

export type FromGraph =
  | { number: number; ok: true; sha256?: string }
  | { number: number; ok: false; message: string };

const newIndex = (dims: number) =>
  new Index({
    dimensions: dims,
    metric: MetricKind.Cos,
    // Who is near is said by 8 bits a number: half the bytes, twice as fast.
    quantization: ScalarKind.I8,
    connectivity: linksAbove,
    expansion_add: 128,
    expansion_search: 64,
    multi: false,
  });

let building: Index | undefined;

function add(firstId: number, vectors: Float32Array, index: Index): void {
  const rows = vectors.length / index.dimensions();
  const ids = BigUint64Array.from({ length: rows }, (_, row) => BigInt(firstId + row));
  index.add(ids, vectors, 1);
}

function linksOf(file: string, index: Index): GraphLinks {
  const whole = `${file}.${process.pid}.whole`;
  try {
    index.save(whole);
    return linksOfUsearch(whole);
  } finally {
    rmSync(whole, { force: true });
  }
}

async function answer(message: ToGraph): Promise<{ sha256?: string }> {
  if (message.kind === 'begin') {
    building = newIndex(message.dims);
    return {};
  }
  if (building === undefined) throw new Error('nothing is being built');
  if (message.kind === 'add') {
    add(message.firstId, message.vectors, building);
    return {};
  }
  const sha256 = await writeWhole(message.file, packLinks(linksOf(message.file, building)));
  building = undefined;
  return { sha256 };
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
