import type { StatusCode } from '@fovea/contract';
import type { AppEmbedders } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { enqueue } from '#jobs/index.ts';
import type { Database } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { type AppRouteParts, appRoutes } from '../common/app-routes.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import type { VectorCatalog } from './catalog.ts';
import { type CheckRow, findCheck, insertCheck } from './check-store.ts';
import { indexedVersions } from './index-store.ts';
import { checkJob } from './job-kinds.ts';

export interface IndexRouteParts extends AppRouteParts {
  readonly db: Database;
  readonly vectors: VectorCatalog;
  readonly embeddersOf: (db: Db, grant: AppGrant) => Promise<AppEmbedders>;
  /** How far the change to another embedder is; undefined where none is under way. */
  readonly changeOf: (db: Db, grant: AppGrant) => Promise<{ comingKey: number; failed: number } | undefined>;
}

/** What Fovea tells of the indexes behind searches (docs/EXTENSIONS.md). */
export function indexRoutes(parts: IndexRouteParts) {
  const { db, vectors, embeddersOf, changeOf } = parts;
  return appRoutes(parts, 'look into its indexes', [
    {
      verb: 'GET',
      tail: '/indexes',
      rpcs: ['PostInputsSearches'],
      async work({ grant }) {
        const [{ base, serving: searched }, change] = await Promise.all([
          embeddersOf(db, grant),
          changeOf(db, grant),
        ]);
        const comingKey =
          base?.modelVersionKey === searched?.modelVersionKey ? undefined : base?.modelVersionKey;
        const versions = await indexedVersions(db, grant, comingKey === undefined ? [] : [comingKey]);
        const total = versions.find((one) => one.modelVersionKey === searched?.modelVersionKey)?.vectors ?? 0;
        const indexes = await Promise.all(
          versions.map(async (version) => {
            const { wanted, serving, why } = await vectors.stateOf(grant, version.modelVersionKey);
            const isComing = version.modelVersionKey === comingKey;
            const isSearched = version.modelVersionKey === searched?.modelVersionKey;
            return {
              model_id: version.modelId,
              model_version_id: version.modelVersionId,
              vectors: version.vectors,
              store: serving,
              role: isSearched ? 'serving' : isComing ? 'coming' : 'kept',
              ...(isComing
                ? { progress: { done: Math.min(version.vectors, total), total }, failed: change?.failed ?? 0 }
                : {}),
              ...(why === '' ? {} : { wanted_store: wanted, why }),
            };
          }),
        );
        return { indexes };
      },
    },
    {
      verb: 'POST',
      tail: '/indexes/checks',
      // A repair writes nothing that was not written before; it is for those who may write.
      rpcs: ['PostInputsSearches', 'PostInputs'],
      async work({ grant, body }) {
        const repair = body.repair ?? false;
        if (typeof repair !== 'boolean') throw commonFault.invalid('repair is true or false.');
        const id = newId();
        await db.transaction(async (tx) =>
          enqueue(tx, checkJob(grant, await insertCheck(tx, grant, id, repair))),
        );
        return { check: shown((await findCheck(db, grant, id)) as CheckRow) };
      },
    },
    {
      verb: 'GET',
      tail: '/indexes/checks/([^/]+)',
      rpcs: ['PostInputsSearches'],
      async work({ grant, id }) {
        const row = await findCheck(db, grant, id);
        if (!row) throw commonFault.missing('check', id);
        return { check: shown(row) };
      },
    },
  ]);
}

const shown = (row: CheckRow) => ({
  id: row.id,
  repair: row.repair,
  status: status(row.statusCode as StatusCode, row.statusDetails),
  progress: { done: Math.min(row.done, row.total), total: row.total },
  indexes: row.report,
});
