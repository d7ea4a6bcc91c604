import {
  type Metric,
  type SearchOptions,
  type SearchResult,
  StoreUnavailable,
  type VectorCollection,
  type VectorPage,
  type VectorStore,
} from '#domain/vector-store.ts';
import type { Database, Tx } from '../postgres/index.ts';
import { type Db, first, rows, run, sql } from '../sql.ts';

/** Below this many rows no graph is built: reading them all costs less than walking. */
const graphRowsMin = 10_000;
/** The extension's limit for halfvec in a graph; longer vectors are scanned. */
const graphDimsMax = 4_000;
const efMax = 1_000;
const buildMs = 30 * 60_000;

/**
 * Keeps vectors in the server's own PostgreSQL, with the extension `vector` 0.8 or later: each collection is a table of
 * whole-precision vectors, with a graph over their half-precision form. What the graph finds is scored again from the
 * whole ones.
 */
export function openPgVectorStore(db: Database): VectorStore {
  return {
    kind: 'pgvector',
    check: () => haveExtension(db),
    async open(name, dims) {
      await haveExtension(db);
      const table = tableOf(name);
      // Two processes may come here at once; "if not exists" alone would let one of them fail.
      await db.transaction(async (tx) => {
        await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${name}, 50))`);
        await run(tx, sql`create schema if not exists fovea_vectors`);
        await run(
          tx,
          sql`create table if not exists ${table} (key bigint primary key, v ${vectorType(dims)} not null)`,
        );
      });
      const found = await first<{ dims: number }>(
        db,
        sql`select atttypmod as dims from pg_attribute
            where attrelid = ${`fovea_vectors.${name}`}::regclass and attname = 'v'`,
      );
      if (found?.dims !== dims)
        throw new RangeError(`Vector collection ${name} has ${found?.dims} dimensions, not ${dims}.`);
      const collection = new PgCollection(db, name, dims);
      await collection.count();
      return collection;
    },
    async drop(name) {
      const schema = await first(db, sql`select from pg_namespace where nspname = 'fovea_vectors'`);
      if (schema) await run(db, sql`drop table if exists ${tableOf(name)}`);
    },
  };
}

const tableOf = (name: string) => sql.id('fovea_vectors', checked(name));
const vectorType = (dims: number) => sql`public.vector(${sql.lit(whole(dims))})`;
const halfType = (dims: number) => sql`public.halfvec(${sql.lit(whole(dims))})`;

function checked(name: string): string {
  if (!/^[\w-]{1,40}$/.test(name)) throw new RangeError(`'${name}' cannot name a vector collection.`);
  return name;
}

function whole(dims: number): number {
  if (!Number.isSafeInteger(dims) || dims < 1 || dims > 16_000)
    throw new RangeError(`pgvector holds vectors of 1 to 16000 dimensions, not ${dims}.`);
  return dims;
}

/** @throws StoreUnavailable naming what is missing */
async function haveExtension(db: Db): Promise<void> {
  const found = await first<{ offered: string; installed: string | null; place: string | null }>(
    db,
    sql`select a.default_version as offered, a.installed_version as installed, n.nspname as place
        from pg_available_extensions a left join pg_extension e on e.extname = a.name
        left join pg_namespace n on n.oid = e.extnamespace where a.name = 'vector'`,
  );
  if (!found)
    throw new StoreUnavailable(
      'The PostgreSQL of DATABASE_URL does not offer the extension "vector" (pgvector); install its package there (for example postgresql-16-pgvector). Vectors are searched in memory meanwhile.',
    );
  const version = found.installed ?? found.offered;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major === 0 && minor < 8)
    throw new StoreUnavailable(
      `pgvector ${version} is too old: 0.8 or later is needed. Install it and run "alter extension vector update".`,
    );
  if (found.installed === null) {
    try {
      await run(db, sql`create extension if not exists vector with schema public`);
    } catch (cause) {
      // Another process may have made it in the same moment.
      if (await first(db, sql`select from pg_extension where extname = 'vector'`)) return;
      throw new StoreUnavailable(
        'The extension "vector" is not in this database, and its user may not create it; have an administrator run "create extension vector".',
        { cause },
      );
    }
  } else if (found.place !== 'public')
    throw new StoreUnavailable(
      `The extension "vector" stands in the schema "${found.place}"; run "alter extension vector set schema public".`,
    );
}

interface Scored {
  readonly key: number;
  readonly score: number;
}

class PgCollection implements VectorCollection {
  readonly #db: Database;
  readonly #name: string;
  readonly dims: number;
  #size = 0;
  #hasGraph = false;

  constructor(db: Database, name: string, dims: number) {
    this.#db = db;
    this.#name = name;
    this.dims = dims;
  }

  get size(): number {
    return this.#size;
  }

  async count(): Promise<void> {
    const found = await first<{ n: number; graph: boolean }>(
      this.#db,
      sql`select count(*) as n, exists (select from pg_indexes where schemaname = 'fovea_vectors'
            and indexname = ${this.#graphName}) as graph from ${tableOf(this.#name)}`,
    );
    this.#size = found?.n ?? 0;
    this.#hasGraph = found?.graph ?? false;
  }

  get #graphName(): string {
    return `${this.#name}_graph`;
  }

  async upsert(keys: Float64Array | number[], vectors: Float32Array): Promise<void> {
    if (keys.length * this.dims !== vectors.length)
      throw new RangeError(
        `${keys.length} keys need ${keys.length * this.dims} floats, not ${vectors.length}.`,
      );
    // Of equal keys the last wins; one statement may not touch a row twice.
    const last = new Map(Array.from(keys, (key, i) => [key, i]));
    const texts = [...last.values()].map((i) => textOf(vectors.subarray(i * this.dims, (i + 1) * this.dims)));
    const made = await first<{ n: number }>(
      this.#db,
      sql`with put as (
            insert into ${tableOf(this.#name)} (key, v)
            select key, v::${vectorType(this.dims)} from unnest(${[...last.keys()]}::bigint[], ${texts}::text[]) as n(key, v) order by key
            on conflict (key) do update set v = excluded.v returning (xmax = 0) as is_new)
          select count(*) filter (where is_new) as n from put`,
    );
    this.#size += made?.n ?? 0;
    if (!this.#hasGraph && this.#size >= graphRowsMin && this.dims <= graphDimsMax) await this.#buildGraph();
  }

  /** Searches read all rows until it is there. */
  async #buildGraph(): Promise<void> {
    await this.#db.transaction(
      async (tx) => {
        await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${this.#name}, 51))`);
        await run(
          tx,
          sql`create index if not exists ${sql.id(this.#graphName)} on ${tableOf(this.#name)}
              using hnsw ((v::${halfType(this.dims)}) public.halfvec_cosine_ops) with (m = 16, ef_construction = 128)`,
        );
      },
      { timeoutMs: buildMs },
    );
    this.#hasGraph = true;
  }

  async remove(keys: Float64Array | number[]): Promise<number> {
    const gone = await rows(
      this.#db,
      sql`delete from ${tableOf(this.#name)} where key = any(${Array.from(keys)}::bigint[]) returning key`,
    );
    this.#size -= gone.length;
    return gone.length;
  }

  async search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult> {
    const { candidates, metric, minScore } = options;
    this.#checkQuery(query);
    const limit = Math.min(k, candidates?.length ?? Number.POSITIVE_INFINITY);
    if (limit === 0) return { keys: [], scores: [], way: 'exact' };
    const isGraph =
      this.#hasGraph &&
      metric === 'cosine' &&
      !options.exact &&
      candidates === undefined &&
      limit * 1.2 <= efMax * 4;
    const found = isGraph
      ? await this.#walk(query, limit)
      : await this.#scan(query, limit, metric, candidates);
    const kept = found.filter(
      ({ score }) => minScore === undefined || (metric === 'cosine' ? score >= minScore : score <= minScore),
    );
    return {
      keys: kept.map(({ key }) => key),
      scores: kept.map(({ score }) => score),
      way: isGraph ? 'graph' : 'exact',
    };
  }

  #scan(query: Float32Array, k: number, metric: Metric, candidates?: Float64Array): Promise<Scored[]> {
    const among = candidates ? sql`where key = any(${Array.from(candidates)}::bigint[])` : sql``;
    const score = metric === 'cosine' ? sql`1 - (v <=> q)` : sql`v <-> q`;
    const order = metric === 'cosine' ? sql`score desc` : sql`score`;
    return rows<Scored>(
      this.#db,
      sql`select key, ${score} as score from ${tableOf(this.#name)},
            (select ${textOf(query)}::${vectorType(this.dims)} as q) asked ${among}
          order by ${order}, key limit ${k}`,
    );
  }

  /** The graph says who is near by half the precision; the whole vectors say how near. */
  #walk(query: Float32Array, k: number): Promise<Scored[]> {
    const fetch = Math.ceil(k * 1.2) + 10;
    const ef = Math.min(efMax, Math.max(100, fetch));
    return this.#db.transaction(
      async (tx) => {
        await setLocal(tx, ef, fetch);
        const q = sql`${textOf(query)}::${vectorType(this.dims)}`;
        return rows<Scored>(
          tx,
          sql`select key, 1 - (v <=> ${q}) as score from (
                select key, v from ${tableOf(this.#name)}
                order by (v::${halfType(this.dims)}) <=> ${q}::${halfType(this.dims)} limit ${fetch}) near
              order by score desc, key limit ${k}`,
        );
      },
      { readOnly: true },
    );
  }

  async scoreAll(
    query: Float32Array,
    candidates: Float64Array,
    metric: Metric = 'cosine',
  ): Promise<Float32Array> {
    this.#checkQuery(query);
    const found = await this.#scan(query, candidates.length, metric, candidates);
    const scores = new Map(found.map(({ key, score }) => [key, score]));
    return Float32Array.from(candidates, (key) => scores.get(key) ?? Number.NaN);
  }

  async page(afterKey: number, limit: number): Promise<VectorPage> {
    const found = await rows<{ key: number; v: string }>(
      this.#db,
      sql`select key, v::text as v from ${tableOf(this.#name)} where key > ${afterKey} order by key limit ${limit}`,
    );
    const vectors = new Float32Array(found.length * this.dims);
    for (const [i, { v }] of found.entries()) vectors.set(JSON.parse(v) as number[], i * this.dims);
    return { keys: Float64Array.from(found, ({ key }) => key), vectors };
  }

  #checkQuery(query: Float32Array): void {
    if (query.length !== this.dims)
      throw new RangeError(`The query has ${query.length} dimensions; this collection has ${this.dims}.`);
  }
}

/** An iterative scan goes on where the first walk gave fewer than were asked for. */
async function setLocal(tx: Tx, ef: number, fetch: number): Promise<void> {
  await run(
    tx,
    sql`select set_config('hnsw.ef_search', ${String(ef)}, true), set_config('hnsw.iterative_scan', 'strict_order', true),
          set_config('hnsw.max_scan_tuples', ${String(Math.max(20_000, fetch * 20))}, true)`,
  );
}

const textOf = (vector: Float32Array): string => `[${vector.join(',')}]`;
