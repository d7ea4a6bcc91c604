import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type AnnotationFilter,
  AnnotationFilterSchema,
  type Search,
  SearchSchema,
  type ServicePart,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import type { Database } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { showTime } from '../common/translate.ts';
import {
  deleteFilters,
  type FilterRow,
  findFilter,
  insertFilter,
  pageOfFilters,
  updateFilter,
} from './filter-store.ts';

type Rpc =
  | 'postAnnotationFilters'
  | 'getAnnotationFilter'
  | 'listAnnotationFilters'
  | 'patchAnnotationFilters'
  | 'deleteAnnotationFilters';

const filtersMax = 128;
const missing = (id: string) => commonFault.missing('annotation filter', id);

export interface FilterParts {
  readonly db: Database;
  /** @throws Fault for a search that cannot be run, or that ranks */
  readonly checkFilter: (grant: AppGrant, search: Search) => Promise<void>;
}

/** Annotation filters: a search with filters alone, for dataset versions. Each request is all or nothing. */
export function annotationFilterHandlers({ db, checkFilter }: FilterParts): ServicePart<Call, Rpc> {
  async function readAll(grant: AppGrant, sent: readonly AnnotationFilter[]) {
    if (sent.length === 0) throw commonFault.invalid('annotation_filters is empty.');
    if (sent.length > filtersMax) throw commonFault.tooMany('annotation_filters', sent.length, filtersMax);
    for (const [i, { id, search }] of sent.entries()) {
      const trouble = idTrouble(id, 'annotation filter');
      if (trouble) throw commonFault.invalid(`annotation_filters[${i}].id: ${trouble}`);
      if (!search?.query)
        throw commonFault.invalid(
          `annotation_filters[${i}].search.query is missing; an empty one means everything.`,
        );
      await checkFilter(grant, search);
    }
  }

  return {
    async postAnnotationFilters(req, call) {
      await readAll(call.app, req.annotationFilters);
      const made = await db.transaction(async (tx) => {
        const rows: FilterRow[] = [];
        for (const { id, search } of req.annotationFilters) {
          const row = await insertFilter(tx, call.app, id || newId(), pack(search as Search));
          if (!row) throw commonFault.duplicateId('annotation filter', id);
          rows.push(row);
        }
        return rows;
      });
      return { annotationFilters: made.map((row) => show(row, call.app)) };
    },

    async getAnnotationFilter(req, call) {
      const row = await findFilter(db, call.app, req.annotationFilterId);
      if (!row) throw missing(req.annotationFilterId);
      return { annotationFilter: show(row, call.app) };
    },

    async listAnnotationFilters(req, call) {
      const rows = await pageOfFilters(db, call.app, readPage(req));
      return { annotationFilters: rows.map((row) => show(row, call.app)) };
    },

    /** Versions of datasets that were made with the old search stay as they are. */
    async patchAnnotationFilters(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      await readAll(call.app, req.annotationFilters);
      const changed = await db.transaction(async (tx) => {
        const rows: FilterRow[] = [];
        for (const { id, search } of req.annotationFilters) {
          const row = await updateFilter(tx, call.app, id, pack(search as Search));
          if (!row) throw missing(id);
          rows.push(row);
        }
        return rows;
      });
      return { annotationFilters: changed.map((row) => show(row, call.app)) };
    },

    async deleteAnnotationFilters(req, call) {
      await db.transaction(async (tx) => {
        const gone = await deleteFilters(tx, call.app, req.annotationFilterIds);
        const unknown = req.annotationFilterIds.find((id) => !gone.has(id));
        if (unknown !== undefined) throw missing(unknown);
      });
      return {};
    },
  };
}

/** The search of a filter; undefined when the app has none of this id. */
export async function findAnnotationFilter(db: Db, grant: AppGrant, id: string): Promise<Search | undefined> {
  const row = await findFilter(db, grant, id);
  return row && fromBinary(SearchSchema, row.body);
}

const pack = (search: Search): Buffer => Buffer.from(toBinary(SearchSchema, search));

const show = (row: FilterRow, grant: AppGrant): AnnotationFilter =>
  create(AnnotationFilterSchema, {
    id: row.id,
    search: fromBinary(SearchSchema, row.body),
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    userId: grant.userId,
    appId: grant.appId,
  });
