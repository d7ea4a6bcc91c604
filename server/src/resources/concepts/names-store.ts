import type { AppGrant } from '#domain/grant.ts';
import { RawColumns, type RawReads } from '#store/postgres/index.ts';

/** Names of concepts by id, in UTF-8. */
export type ConceptNames = ReadonlyMap<string, Uint8Array>;

/** Of all apps together; some 150 bytes each. */
const rememberedMax = 20_000;

interface AppNames {
  readonly revision: number;
  readonly names: Map<string, Uint8Array>;
}

/**
 * Names that were looked up, each good as long as its app's concepts have the revision (`concept_revisions`) under
 * which a page was read. A name may be younger than its revision, never older.
 */
class NameMemory {
  readonly #apps = new Map<number, AppNames>();
  #count = 0;

  /** The names of an app at a revision, to be read, and added to by `add`. */
  at(appKey: number, revision: number): AppNames {
    const known = this.#apps.get(appKey);
    if (known?.revision === revision) return known;
    const fresh: AppNames = { revision, names: new Map() };
    // A page that was read before a rename is shown after one that was read behind it.
    if (known && known.revision > revision) return fresh;
    this.#count -= known?.names.size ?? 0;
    this.#apps.set(appKey, fresh);
    return fresh;
  }

  add(appKey: number, app: AppNames, id: string, name: Uint8Array): void {
    if (app.names.has(id)) return;
    app.names.set(id, name);
    if (this.#apps.get(appKey) !== app) return;
    this.#count += 1;
    if (this.#count <= rememberedMax) return;
    this.#apps.clear();
    this.#count = 0;
  }
}

const memories = new WeakMap<RawReads, NameMemory>();

function memoryOf(db: RawReads): NameMemory {
  const known = memories.get(db) ?? new NameMemory();
  memories.set(db, known);
  return known;
}

/**
 * What an app calls some of its concepts; those that it has not are missing.
 *
 * @param revision of the app's concepts, read in the statement that found the ids
 */
export async function conceptNames(
  db: RawReads,
  grant: AppGrant,
  revision: number,
  ids: Iterable<string>,
): Promise<ConceptNames> {
  const memory = memoryOf(db);
  const app = memory.at(grant.appKey, revision);
  const missing: string[] = [];
  for (const id of ids) if (!app.names.has(id)) missing.push(id);
  if (missing.length === 0) return app.names;
  const found = await Promise.all(missing.map((id) => conceptName(db, grant, id)));
  missing.forEach((id, i) => {
    const name = found[i];
    if (name) memory.add(grant.appKey, app, id, name);
  });
  return app.names;
}

// The row is looked up for each pair, so that no plan reads more of the table than was asked for.
const nameById = {
  name: 'concept-name-by-id',
  text: `select a.n, c.name from unnest($1::bigint[], $2::text[]) with ordinality as a(app_key, id, n)
    cross join lateral (
      select c.name from concepts c where c.app_key = a.app_key and c.id = a.id limit 1
    ) c`,
};

/** The name of a concept in UTF-8; undefined where the app has none such. */
export async function conceptName(
  db: RawReads,
  grant: AppGrant,
  id: string,
): Promise<Uint8Array | undefined> {
  const row = await db.rawTogether(nameById, grant.appKey, id);
  if (!row) return undefined;
  const columns = new RawColumns().read(row);
  columns.next();
  columns.next();
  // A copy: a part of what the server sent would keep all of it.
  return Buffer.from(columns.bytes.subarray(columns.start, columns.end));
}
