import type { Db } from '#store/sql.ts';
import { type DiffRow, diffSteps } from './diff-store.ts';

export interface DiffSummary {
  inputs: { added: number; removed: number; changed: number };
  /** Inputs that a concept was said of, or no more, by its id. */
  concepts: Record<string, { added: number; removed: number }>;
}

/** How much differs between two versions, in all and per concept. Costs as much as what differs, not as the versions. */
export async function summariseDiff(db: Db, from: number, to: number): Promise<DiffSummary> {
  const summary: DiffSummary = { inputs: { added: 0, removed: 0, changed: 0 }, concepts: {} };
  const concepts = new Map<string, { added: number; removed: number }>();
  const count = (id: string, way: 'added' | 'removed') => {
    const known = concepts.get(id) ?? { added: 0, removed: 0 };
    known[way] += 1;
    concepts.set(id, known);
  };
  for await (const step of diffSteps(db, from, to, -1)) {
    for (const row of step) {
      summary.inputs[row.change] += 1;
      for (const id of row.conceptsAdded) count(id, 'added');
      for (const id of row.conceptsRemoved) count(id, 'removed');
    }
  }
  summary.concepts = Object.fromEntries([...concepts].sort(([a], [b]) => (a < b ? -1 : 1)));
  return summary;
}

/** One page of differences behind an input's key; `next` is where the next one begins. */
export async function pageOfDiff(
  db: Db,
  from: number,
  to: number,
  after: number,
  size: number,
): Promise<{ rows: DiffRow[]; next: number | undefined }> {
  const rows: DiffRow[] = [];
  for await (const step of diffSteps(db, from, to, after)) {
    rows.push(...step);
    if (rows.length > size) break;
  }
  const page = rows.slice(0, size);
  return { rows: page, next: rows.length > size ? page.at(-1)?.inputKey : undefined };
}
