import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchContext } from '../harness/bench.ts';
import type { Asked } from './index-growth.ts';
import type { PythonPeer } from './python.ts';
import type { Truth } from './truth.ts';
import type { VectorEngine } from './vector-engine.ts';
import {
  bytesOf,
  type Correlation,
  correlations,
  keeps,
  recallOf,
  shares,
  type VectorSet,
} from './vector-set.ts';

/** One table of all searches with filters: engine × kind of filter × where the matches lie × share that is kept. */
export interface FilterTable {
  /** @param filter what the engine is told of the filter, or the kind of it */
  add(
    engine: string,
    filter: string,
    cell: { correlation: Correlation; share: number },
    measured: { ms: number; recall: number },
  ): void;
  cells(): string[][];
}

export function openFilterTable(): FilterTable {
  const lines = new Map<string, Map<number, string>>();
  return {
    add(engine, filter, { correlation, share }, { ms, recall }) {
      const name = [engine, filter, correlation].join('\t');
      const line = lines.get(name) ?? new Map();
      lines.set(name, line.set(share, `${ms.toFixed(ms < 10 ? 2 : 0)} · ${recall.toFixed(2)}`));
    },
    cells: () => [
      ['engine', 'filter', 'matches lie', ...shares.map((share) => `${share * 100} %`)],
      ...[...lines].map(([name, line]) => [
        ...name.split('\t'),
        ...shares.map((share) => line.get(share) ?? ''),
      ]),
    ],
  };
}

type FaissReply = { cpuMsEach: number; rows: number[][] };

/**
 * The same rows kept for the index by itself, which is told their keys, and for faiss, which is told them as bits: what
 * finding the matches costs is not in it.
 *
 * @param ef breadth at which faiss finds what is nearest without filters
 */
export async function filteredAlone(
  context: BenchContext,
  table: FilterTable,
  engines: { readonly planned: VectorEngine; readonly faiss: PythonPeer | undefined; readonly ef: number },
  set: VectorSet,
  truth: Truth,
  asked: Asked,
  firstKey: number,
): Promise<void> {
  const { planned, faiss, ef } = engines;
  const candidatesFile = join(context.folder, 'candidates-of-a-cell');
  for (const correlation of correlations) {
    for (const share of shares) {
      const cell = { correlation, share };
      const recallOfAll = (found: readonly (readonly number[])[]) =>
        found.slice(0, truth.queries).reduce((sum, rows, q) => sum + recallOf(rows, truth.cell(q, cell)), 0) /
        truth.queries;
      const kept = [...Array(set.rows).keys()].filter((row) => keeps(set, correlation, share, row));
      writeFileSync(candidatesFile, bytesOf(Float64Array.from(kept, (row) => row + firstKey)));
      const repeats = Math.max(1, Math.min(20, Math.round(0.05 / share)));
      const ours = await planned.searchCost({ ...asked, repeats, ...(share < 1 ? { candidatesFile } : {}) });
      table.add('index alone, CPU', 'keys', cell, {
        ms: ours.cpuMsEach,
        recall: recallOfAll(ours.keys.map((keys) => keys.map((key) => key - firstKey))),
      });
      if (!faiss) continue;
      const { queryFile, k } = asked;
      const search = {
        kind: 'search',
        queryFile,
        dims: set.dims,
        k,
        ef,
        repeats: 1,
        candidatesFile,
        firstKey,
      };
      const theirs = await faiss.ask<FaissReply>(search);
      table.add('faiss HNSW, CPU', 'bits', cell, { ms: theirs.cpuMsEach, recall: recallOfAll(theirs.rows) });
    }
  }
}
