import { type Db, run, sql } from '#store/sql.ts';
import type { SearchTree } from './query.ts';

/** What is remembered of a filter. */
export interface FilterMemory {
  /** Keys of all vectors that met it, ascending; undefined where they were too many to be read. */
  readonly keys: Float64Array | undefined;
  /** How many there were, or so many at least. */
  readonly count: number;
  /** Every transaction before this one was seen. */
  readonly mark: string;
}

interface Entry extends FilterMemory {
  readonly until: number;
  readonly bytes: number;
}

const bytesMax = 64 * 2 ** 20;
/** Less than rows of `app_changes` are kept for. */
const lifeMs = 5 * 60_000;

/**
 * Which vectors meet a filter, the latest used of those that were read, in 64 MiB at most. Whether it still holds is for
 * the caller to ask: `hasChanged`.
 */
export class FilterKeys {
  readonly #entries = new Map<string, Entry>();
  readonly #bytesMax: number;
  readonly #now: () => number;
  #bytes = 0;

  constructor({ max = bytesMax, now = () => performance.now() } = {}) {
    this.#bytesMax = max;
    this.#now = now;
  }

  get(name: string): FilterMemory | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    this.#forget(name, entry);
    if (entry.until < this.#now()) return undefined;
    this.#keep(name, entry);
    return entry;
  }

  put(name: string, memory: FilterMemory): void {
    const known = this.#entries.get(name);
    if (known) this.#forget(name, known);
    const bytes = 200 + 2 * name.length + (memory.keys?.byteLength ?? 0);
    if (bytes > this.#bytesMax / 4) return;
    this.#keep(name, { ...memory, bytes, until: this.#now() + lifeMs });
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#forget(oldest, entry);
    }
  }

  #keep(name: string, entry: Entry): void {
    this.#entries.set(name, entry);
    this.#bytes += entry.bytes;
  }

  #forget(name: string, entry: Entry): void {
    this.#entries.delete(name);
    this.#bytes -= entry.bytes;
  }
}

/** Whether `app_changes` tells of everything that could change which vectors meet these filters. */
export const isTold = ({ filters, asOf }: Pick<SearchTree, 'filters' | 'asOf'>): boolean =>
  asOf === undefined &&
  filters.length > 0 &&
  filters.every(
    ({ annotation: { userId, modelVersionId, workflowVersionId } }) =>
      userId === undefined && modelVersionId === undefined && workflowVersionId === undefined,
  );

const changedText = {
  name: 'searches-app-changed',
  text: 'select exists (select from app_changes where app_key = $1 and xid >= $2::xid8) as "hasChanged"',
};

/** Whether anything was committed in an app that a look up to this mark may have missed. */
export async function hasChanged(db: Db, appKey: number, mark: string): Promise<boolean> {
  const [row] = await db.run<{ hasChanged: boolean }>(changedText, [appKey, mark]);
  return row?.hasChanged ?? true;
}

/**
 * Forgets changes that lie before everything that any process remembers: those that had ended ten minutes ago, where
 * nothing is remembered longer than five.
 */
export async function forgetOldChanges(db: Db): Promise<void> {
  await run(
    db,
    sql`delete from app_changes where xid < (
          select max(mark) from app_change_horizons where at < clock_timestamp() - interval '10 minutes')`,
  );
  await run(db, sql`delete from app_change_horizons where at < clock_timestamp() - interval '1 day'`);
  await run(db, sql`insert into app_change_horizons (mark) values (pg_snapshot_xmin(pg_current_snapshot()))`);
}

/** Whether an ascending list of keys holds one. */
export function holds(keys: Float64Array, key: number): boolean {
  let [from, to] = [0, keys.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((keys[middle] as number) < key) from = middle + 1;
    else to = middle;
  }
  return keys[from] === key;
}
