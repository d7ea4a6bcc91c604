import { availableParallelism } from 'node:os';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type FoveaWhy,
  type Pagination,
  type Query,
  type Search,
  SearchSchema,
  type ServicePart,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { type Page, readPage } from '#domain/page.ts';
import { isStatementTimeout } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { readVisibility, showTime, showVisibility } from '../common/translate.ts';
import { countSearch, type Opened, openSearch, runSearches } from './execute.ts';
import { explainSearches, whyHits } from './explain.ts';
import { searchFault, windowMax } from './faults.ts';
import { FilterKeys } from './filter-keys.ts';
import { packHits, packReply, type SearchReply } from './pack.ts';
import { type SearchParts, steady } from './parts.ts';
import type { HitKind, SearchTree } from './query.ts';
import { readQuery, readSearch } from './read-query.ts';
import {
  deleteSaved,
  findSaved,
  insertSaved,
  lockSaved,
  pageOfSaved,
  type SavedKind,
  type SavedRow,
  updateSaved,
} from './saved-store.ts';
import { timed } from './trail.ts';
import { Turns } from './turns.ts';

type Rpc =
  | 'postInputsSearches'
  | 'postAnnotationsSearches'
  | 'postSearches'
  | 'postSearchesByID'
  | 'getSearch'
  | 'listSearches'
  | 'patchSearches'
  | 'patchInputsSearches'
  | 'patchAnnotationsSearches'
  | 'deleteSearch';

const searchesMax = 10;

/** Searches of one user at a time, and those that may wait. */
const atOnceMax = Math.max(4, Math.min(8, 2 * availableParallelism()));
const waitingMax = 1_000;
/** Connections for the searches of all users: no single one can hold them all. */
const connectionsMax = 20;

interface RunOptions {
  readonly onlyCount?: boolean;
  readonly foveaExplain?: boolean;
}

export function searchHandlers(given: SearchParts): ServicePart<Call, Rpc> {
  const { db, searchTimeoutMs } = given;
  const reads = db.lane({ connectionsMax, statementTimeoutMs: searchTimeoutMs });
  const parts: SearchParts = { ...given, reads, filterKeys: new FilterKeys(), lookedInto: new Map() };
  const turns = new Turns<number>(atOnceMax, waitingMax);

  /** Saves what asks to be saved, runs the rest. */
  async function saveOrRun(
    call: Call,
    kind: SavedKind,
    searches: readonly Search[],
    pagination: Pagination | undefined,
    options: RunOptions = {},
  ) {
    if (searches.length > searchesMax) throw commonFault.tooMany('searches', searches.length, searchesMax);
    const toSave = searches.filter((search) => search.save);
    const trees = searches.filter((search) => !search.save).map((search) => readSearch(search));
    const reply = await run(call.app, hitKindOf(kind), trees, readWindow(pagination), options);
    // Last, so that nothing is saved by a request that fails.
    if (toSave.length > 0) await saveAll(call, kind, toSave);
    for (const search of searches) dropPictures(search.query);
    return packReply({ ...reply, searches: [...searches] });
  }

  async function saveAll(call: Call, kind: SavedKind, searches: readonly Search[]) {
    if (!call.app.holds('SavedSearch_Add'))
      throw commonFault.scopeNeeded('SavedSearch_Add', 'to save a search');
    await db.transaction(async (tx) => {
      for (const search of searches) {
        readSearch(search);
        const id = search.id || newId();
        const trouble = idTrouble(id, 'search');
        if (trouble) throw searchFault.invalid(trouble);
        const row = await insertSaved(
          tx,
          call.app,
          id,
          kind,
          bodyOf(search),
          readVisibility(search.visibility),
        );
        if (!row) throw searchFault.duplicate(id);
      }
    });
  }

  async function run(
    grant: AppGrant,
    kind: HitKind,
    trees: readonly SearchTree[],
    page: Page,
    options: RunOptions = {},
  ): Promise<SearchReply> {
    const work = () => runNow(grant, kind, trees, page, options);
    try {
      return await turns.take(grant.caller.userKey, work, searchFault.tooBusy);
    } catch (thrown) {
      throw isStatementTimeout(thrown) ? searchFault.tooSlow() : thrown;
    }
  }

  async function runNow(
    grant: AppGrant,
    kind: HitKind,
    trees: readonly SearchTree[],
    page: Page,
    { onlyCount = false, foveaExplain = false }: RunOptions,
  ): Promise<SearchReply> {
    const id = newId();
    const until = performance.now() + searchTimeoutMs;
    const opened: Opened[] = [];
    try {
      const own = steady(parts);
      for (const tree of trees) opened.push(await openSearch(own, grant, kind, tree, until));
      if (onlyCount) {
        const hitCounts = [];
        for (const search of opened) hitCounts.push({ estimatedTotal: BigInt(await countSearch(search)) });
        return { id, hitCounts };
      }
      const found = await runSearches(opened, page);
      const show = async (whys?: readonly FoveaWhy[]) => {
        const [first] = opened;
        return first && timed(first.trail, 'show', () => packHits(own, grant, kind, found, whys));
      };
      if (!foveaExplain) return { id, hits: await show() };
      const whys = await whyHits(opened, found);
      const hits = await show(whys);
      return { id, hits, foveaExplain: await explainSearches(opened) };
    } finally {
      for (const { trail } of opened) parts.onSearched(trail.plan?.way ?? 'count', trail.stages, trail);
    }
  }

  async function patchSaved(call: Call, searches: readonly Search[], action: string) {
    if (action !== '' && action !== 'overwrite') throw commonFault.unknownAction(action, ['overwrite']);
    const rows = await db.transaction(async (tx) => {
      const patched: SavedRow[] = [];
      for (const sent of searches) {
        const before = await lockSaved(tx, call.app, sent.id);
        if (!before) throw searchFault.missing(sent.id);
        const kept = fromBinary(SearchSchema, before.body);
        const after = create(SearchSchema, {
          query: sent.query ?? kept.query,
          name: sent.name || kept.name,
          algorithm: sent.algorithm || kept.algorithm,
          metric: sent.metric || kept.metric,
          asOf: sent.asOf ?? kept.asOf,
          minValue: sent.minValue || kept.minValue,
          visibility: sent.visibility ?? kept.visibility,
          gitHash: sent.gitHash || kept.gitHash,
        } as never) as Search;
        readSearch(after);
        patched.push(
          (await updateSaved(
            tx,
            call.app,
            sent.id,
            bodyOf(after),
            readVisibility(after.visibility),
          )) as SavedRow,
        );
      }
      return patched;
    });
    return { id: newId(), hits: [], searches: rows.map((row) => showSaved(row, call.app)) };
  }

  return {
    /** One hit per input. */
    async postInputsSearches(req, call) {
      return saveOrRun(call, 'inputs', req.searches, req.pagination, req);
    },

    /** One hit per annotation. */
    async postAnnotationsSearches(req, call) {
      return saveOrRun(call, 'annotations', req.searches, req.pagination, req);
    },

    /** The deprecated form: `query` of the request itself, or searches with `ands`. */
    async postSearches(req, call) {
      if (!req.query) return saveOrRun(call, 'searches', req.searches, req.pagination, req);
      const reply = await run(call.app, 'input', [readQuery(req.query)], readWindow(req.pagination), req);
      dropPictures(req.query);
      return packReply({ ...reply, query: req.query });
    },

    async postSearchesByID(req, call) {
      const row = await findSaved(db, call.app, req.id);
      if (!row) throw searchFault.missing(req.id);
      const search = fromBinary(SearchSchema, row.body);
      const reply = await run(
        call.app,
        hitKindOf(row.kind),
        [readSearch(search)],
        readWindow(req.pagination),
        req,
      );
      return packReply({ ...reply, searches: [showSaved(row, call.app)] });
    },

    async getSearch(req, call) {
      const row = await findSaved(db, call.app, req.id);
      if (!row) throw searchFault.missing(req.id);
      return { search: showSaved(row, call.app) };
    },

    async listSearches(req, call) {
      const rows = await pageOfSaved(db, call.app, readPage(req));
      return { searches: rows.map((row) => showSaved(row, call.app)) };
    },

    async patchSearches(req, call) {
      return patchSaved(call, req.searches, req.action);
    },

    async patchInputsSearches(req, call) {
      return patchSaved(call, req.searches, req.action);
    },

    async patchAnnotationsSearches(req, call) {
      return patchSaved(call, req.searches, req.action);
    },

    async deleteSearch(req, call) {
      if (!(await deleteSaved(db, call.app, req.id))) throw searchFault.missing(req.id);
      return {};
    },
  };
}

/** The echo of a search tells how it was asked, without the megabytes of the picture it was asked with. */
function dropPictures(query: Query | undefined): void {
  const pictures = [
    ...(query?.ranks ?? []).map((rank) => rank.annotation?.data?.image),
    ...(query?.ands ?? []).map((and) => and.output?.input?.data?.image),
  ];
  for (const picture of pictures) if (picture) picture.base64 = new Uint8Array();
}

const hitKindOf = (kind: SavedKind): HitKind => (kind === 'annotations' ? 'annotation' : 'input');

const bodyOf = (search: Search): Buffer =>
  Buffer.from(
    toBinary(
      SearchSchema,
      create(SearchSchema, { ...search, $typeName: undefined, id: '', save: false } as never),
    ),
  );

function readWindow(pagination: Pagination | undefined): Page {
  const page = readPage(pagination);
  if (page.number * page.size > windowMax) throw searchFault.windowTooLarge();
  return page;
}

function showSaved(row: SavedRow, grant: AppGrant): Search {
  const search = fromBinary(SearchSchema, row.body);
  search.id = row.id;
  search.applicationId = grant.appId;
  search.name ||= row.id;
  search.save = true;
  search.createdAt = showTime(row.createdAt);
  search.modifiedAt = showTime(row.modifiedAt);
  search.visibility = showVisibility(row.visibility);
  return search;
}
