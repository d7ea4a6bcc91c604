import { AppSchema, App_EmbeddingsStorage as storage } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import {
  type SearchResult,
  StoreUnavailable,
  type VectorCollection,
  type VectorStore,
  type VectorStoreKind,
} from '#domain/vector-store.ts';
import { enqueue } from '#jobs/index.ts';
import type { Log } from '#store/log.ts';
import type { Database, RawReads } from '#store/postgres/index.ts';
import { unpackBody } from '../common/translate.ts';
import type { MemoryIndexes } from './in-memory.ts';
import {
  bodyOfApp,
  type CollectionRow,
  changedSince,
  dimsOf,
  findCollection,
  forgetCollection,
  lockCollection,
  moveCollection,
  pageOf,
  xminNow,
} from './index-store.ts';
import { buildJob } from './job-kinds.ts';

/** Opens what searches look into: the store that the app chose once it is whole there, the memory until then. */
export interface VectorCatalog {
  /**
   * The index, up to date. Undefined when the app holds no embeddings of this model version.
   *
   * @param raw reads what changed since, where that goes together with other reads
   */
  open(
    grant: AppGrant,
    modelVersionKey: number,
    raw?: RawReads['raw'],
  ): Promise<VectorCollection | undefined>;
  /** Which store an app wants, whether it serves now, and why not. */
  stateOf(grant: AppGrant, modelVersionKey: number): Promise<IndexState>;
}

export interface IndexState {
  readonly wanted: VectorStoreKind;
  readonly serving: VectorStoreKind;
  /** Why another store serves than the wanted one; '' where the wanted one does. */
  readonly why: string;
}

export interface CatalogParts {
  readonly db: Database;
  readonly memory: MemoryIndexes;
  /** Stores outside of this process, as far as the server is set up for them. */
  readonly stores: readonly VectorStore[];
  readonly log: Log;
  /** How long a store that failed is left alone. Default 15,000. */
  readonly pauseMs?: number;
}

/** How long a choice is believed. */
const choiceMs = 3_000;
const upsertRows = 512;

interface Outside {
  readonly collection: VectorCollection;
  /** Every transaction before this one was seen by this process to be in it. */
  seenBefore: string;
}

export const collectionName = (appKey: number, modelVersionKey: number) => `app_${appKey}_${modelVersionKey}`;

export function openVectorCatalog({
  db,
  memory,
  stores,
  log,
  pauseMs = 15_000,
}: CatalogParts): VectorCatalog {
  const choices = new Map<number, { kind: VectorStoreKind; until: number }>();
  const outside = new Map<string, Outside>();
  const troubles = new Map<VectorStoreKind, { until: number; message: string }>();
  const asked = new Map<string, number>();

  /** POSTGRES means pgvector where the database has it; apps that say nothing are searched in memory. */
  async function choiceOf(grant: AppGrant): Promise<VectorStoreKind> {
    const known = choices.get(grant.appKey);
    if (known && known.until > Date.now()) return known.kind;
    const body = await bodyOfApp(db, grant);
    const said = body ? unpackBody(AppSchema, body).embeddingsStorage : storage.EMBEDDING_STORAGE_NOT_SET;
    const kind = said === storage.QDRANT ? 'qdrant' : said === storage.POSTGRES ? 'pgvector' : 'in_process';
    choices.set(grant.appKey, { kind, until: Date.now() + choiceMs });
    return kind;
  }

  function troubleOf(kind: VectorStoreKind): string {
    if (!stores.some((store) => store.kind === kind))
      return `${kind === 'qdrant' ? 'FOVEA_QDRANT_URL is not set' : 'The server has no such store'}; its vectors are searched in memory.`;
    const trouble = troubles.get(kind);
    return trouble && trouble.until > Date.now() ? trouble.message : '';
  }

  function noteTrouble(kind: VectorStoreKind, thrown: unknown): void {
    const { message } = thrown as Error;
    if (!(thrown instanceof StoreUnavailable))
      log.error({ store: kind, error: thrown }, 'a vector store failed');
    else if (troubles.get(kind)?.message !== message) log.warn({ store: kind }, message);
    troubles.set(kind, { until: Date.now() + pauseMs, message });
  }

  /** Asks for a collection to be built, not more often than a search a while. */
  async function askForBuild(grant: AppGrant, modelVersionKey: number, kind: VectorStoreKind): Promise<void> {
    const name = `${kind} ${collectionName(grant.appKey, modelVersionKey)}`;
    if ((asked.get(name) ?? 0) > Date.now() - choiceMs) return;
    asked.set(name, Date.now());
    await db.transaction((tx) => enqueue(tx, buildJob(grant, modelVersionKey, kind)));
  }

  async function openOutside(
    grant: AppGrant,
    modelVersionKey: number,
    kind: VectorStoreKind,
  ): Promise<VectorCollection | undefined> {
    if (kind === 'in_process' || troubleOf(kind) !== '') return undefined;
    const store = stores.find((one) => one.kind === kind) as VectorStore;
    const name = collectionName(grant.appKey, modelVersionKey);
    try {
      const row = await findCollection(db, grant, modelVersionKey, kind);
      if (!row?.isWhole) {
        await store.check();
        await askForBuild(grant, modelVersionKey, kind);
        return undefined;
      }
      let found = outside.get(`${kind} ${name}`);
      if (!found) {
        const collection = await store.open(name, row.dims);
        if (collection.size === 0 && (await dimsOf(db, grant, modelVersionKey)) !== undefined) {
          log.warn({ store: kind, collection: name }, 'a vector store was emptied; it is filled again');
          await forgetCollection(db, { appKey: grant.appKey, modelVersionKey, store: kind });
          await askForBuild(grant, modelVersionKey, kind);
          return undefined;
        }
        found = { collection, seenBefore: row.seenBefore };
        outside.set(`${kind} ${name}`, found);
      }
      await catchUp(grant, found, row);
      return found.collection;
    } catch (thrown) {
      outside.delete(`${kind} ${name}`);
      noteTrouble(kind, thrown);
      return undefined;
    }
  }

  /** One process at a time writes into a collection, so that an older vector never lands on a newer one. */
  async function catchUp(grant: AppGrant, found: Outside, row: CollectionRow): Promise<void> {
    const seenBefore = BigInt(row.seenBefore) > BigInt(found.seenBefore) ? row.seenBefore : found.seenBefore;
    const mark = await xminNow(db);
    const changed = await changedSince(db, grant, { ...row, seenBefore });
    if (changed.length === 0) {
      found.seenBefore = mark;
      return;
    }
    found.seenBefore = await db.transaction((tx) => levelCollection(tx, grant, row, found.collection));
  }

  return {
    async open(grant, modelVersionKey, raw) {
      const kind = await choiceOf(grant);
      const there = await openOutside(grant, modelVersionKey, kind);
      const inMemory = () => memory.open(grant, modelVersionKey, raw);
      const note = (thrown: unknown) => {
        // It is opened anew then, which notices a collection that is no longer there.
        outside.delete(`${kind} ${collectionName(grant.appKey, modelVersionKey)}`);
        noteTrouble(kind, thrown);
      };
      return there ? withFallback(there, inMemory, note) : inMemory();
    },
    async stateOf(grant, modelVersionKey) {
      const wanted = await choiceOf(grant);
      if (wanted === 'in_process') return { wanted, serving: 'in_process', why: '' };
      const there = await openOutside(grant, modelVersionKey, wanted);
      if (there) return { wanted, serving: wanted, why: '' };
      return { wanted, serving: 'in_process', why: troubleOf(wanted) || 'It is being built there.' };
    },
  };
}

/** Writes what changed since the collection was last level. @returns the mark up to which it is level now */
export async function levelCollection(
  tx: Parameters<Parameters<Database['transaction']>[0]>[0],
  grant: AppGrant,
  { modelVersionKey, store }: Pick<CollectionRow, 'modelVersionKey' | 'store'>,
  collection: VectorCollection,
): Promise<string> {
  const row = await lockCollection(tx, grant, modelVersionKey, store);
  const mark = await xminNow(tx);
  if (!row) return mark;
  const changed = await changedSince(tx, grant, row);
  for (let from = 0; from < changed.length; from += upsertRows) {
    const { keys, vectors } = pageOf(changed.slice(from, from + upsertRows));
    await collection.upsert(keys, vectors);
  }
  await moveCollection(tx, grant, row, { seenBefore: mark });
  return mark;
}

/** A store that fails in the middle costs no search. */
function withFallback(
  there: VectorCollection,
  inMemory: () => Promise<VectorCollection | undefined>,
  note: (thrown: unknown) => void,
): VectorCollection {
  const nothing: SearchResult = { keys: [], scores: [], way: 'exact' };
  async function either<Result>(
    work: (index: VectorCollection) => Promise<Result>,
    whenEmpty: Result,
  ): Promise<Result> {
    try {
      return await work(there);
    } catch (thrown) {
      note(thrown);
      const index = await inMemory();
      return index ? work(index) : whenEmpty;
    }
  }
  return {
    dims: there.dims,
    get size() {
      return there.size;
    },
    upsert: (keys, vectors) => there.upsert(keys, vectors),
    // What could not be removed is left out of every hit all the same.
    remove: async (keys) => {
      try {
        return await there.remove(keys);
      } catch (thrown) {
        note(thrown);
        return 0;
      }
    },
    search: (...asked) => either((index) => index.search(...asked), nothing),
    scoreAll: (query, candidates, metric) =>
      either(
        (index) => index.scoreAll(query, candidates, metric),
        new Float32Array(candidates.length).fill(Number.NaN),
      ),
    page: (...asked) =>
      either((index) => index.page(...asked), { keys: new Float64Array(), vectors: new Float32Array() }),
  };
}
