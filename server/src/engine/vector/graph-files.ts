import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GraphRows } from './graph.ts';
import { type GraphLinks, unpackLinks } from './graph-links.ts';
import type { ScopeView } from './scope-view.ts';

/** 1 and 2 held vectors too; 3 holds links alone. */
const version = 3;

/** The sidecar: written last, so a build that was cut short leaves no sidecar that fits. */
interface Sidecar {
  version: number;
  dims: number;
  count: number;
  graphSha256: string;
  rowsSha256: string;
}

export interface GraphPaths {
  /** The vectors themselves (row-file.ts). */
  vectors: string;
  graph: string;
  rows: string;
  sidecar: string;
}

/** Scope names are chosen by callers; file names are not. */
export function pathsFor(dir: string, name: string): GraphPaths {
  const stem = join(dir, createHash('sha256').update(name).digest('hex').slice(0, 32));
  return {
    vectors: `${stem}.vectors`,
    graph: `${stem}.graph`,
    rows: `${stem}.rows`,
    sidecar: `${stem}.json`,
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Written aside, synced, renamed: a file under its final name is whole, or was damaged later.
 *
 * @returns its checksum
 */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<string> {
  const aside = `${file}.${process.pid}.part`;
  const handle = await open(aside, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(aside, file);
  return sha256(bytes);
}

/** Keys (float64) and content fingerprints (uint32), by graph id: what a graph file was made of. */
export interface GraphContents {
  keys: Float64Array;
  prints: Uint32Array;
}

export async function writeContents(
  paths: GraphPaths,
  dims: number,
  graphSha256: string,
  { keys, prints }: GraphContents,
): Promise<void> {
  const rows = new Uint8Array(keys.byteLength + prints.byteLength);
  rows.set(new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength));
  rows.set(new Uint8Array(prints.buffer, prints.byteOffset, prints.byteLength), keys.byteLength);
  const rowsSha256 = await writeWhole(paths.rows, rows);
  const sidecar: Sidecar = { version, dims, count: keys.length, graphSha256, rowsSha256 };
  await writeWhole(paths.sidecar, new TextEncoder().encode(JSON.stringify(sidecar)));
}

/** @returns undefined when there is no whole graph of these dimensions; the graph file itself is checked on opening */
export async function readContents(
  paths: GraphPaths,
  dims: number,
): Promise<(GraphContents & { graphSha256: string }) | undefined> {
  try {
    const sidecar = JSON.parse(await readFile(paths.sidecar, 'utf8')) as Sidecar;
    if (sidecar.version !== version || sidecar.dims !== dims) return undefined;
    const rows = Uint8Array.from(await readFile(paths.rows));
    const { count } = sidecar;
    if (rows.length !== count * 12 || sha256(rows) !== sidecar.rowsSha256) return undefined;
    return {
      keys: new Float64Array(rows.buffer, 0, count),
      prints: new Uint32Array(rows.buffer, count * 8, count),
      graphSha256: sidecar.graphSha256,
    };
  } catch {
    return undefined;
  }
}

/** @throws Error when the file is gone, damaged, or holds other links than these */
export async function readGraph(file: string, graphSha256: string, count: number): Promise<GraphLinks> {
  const bytes = await readFile(file);
  if (sha256(bytes) !== graphSha256) throw new Error('the graph file does not match its checksum');
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const links = unpackLinks(shared);
  if (links.count !== count) throw new Error('the graph file is of other rows');
  return links;
}

export const makeFolder = (dir: string): Promise<unknown> => mkdir(dir, { recursive: true });

export async function removeFiles({ sidecar, rows, graph }: Omit<GraphPaths, 'vectors'>): Promise<void> {
  for (const file of [sidecar, rows, graph]) await rm(file, { force: true });
}

/** 32-bit FNV-1a over the float words of a row. */
export function printOf(row: Float32Array): number {
  const words = new Uint32Array(row.buffer, row.byteOffset, row.length);
  let hash = 0x811c9dc5;
  for (let i = 0; i < words.length; i += 1) hash = Math.imul(hash ^ (words[i] as number), 0x01000193);
  return hash >>> 0;
}

/** Matches a graph's contents with the vectors there are now, by key and fingerprint. */
export function matchRows(view: ScopeView, { keys, prints }: GraphContents): GraphRows {
  const births = Int32Array.from(view.births);
  const slots = Int32Array.from(keys, (key, id) => {
    const slot = view.table.find(key);
    if (slot < 0 || slot >= births.length || !view.isLive(slot)) return -1;
    return printOf(view.row(slot)) === prints[id] ? slot : -1;
  });
  return { slots, births };
}
