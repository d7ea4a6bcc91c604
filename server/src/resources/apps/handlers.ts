import type { JsonObject } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { type App, AppSchema, type PatchAction, type ServicePart, type Workflow } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { type AppGrant, visibility } from '#domain/grant.ts';
import { idTrouble } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import type { JsonMap } from '#domain/patch.ts';
import { enqueue } from '#jobs/index.ts';
import type { Database, Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { unpackBody } from '../common/translate.ts';
import { type AppSort, workflowByDefault } from './app.ts';
import { appFault } from './faults.ts';
import { purgeKind } from './jobs.ts';
import { patchMetadata } from './metadata-action.ts';
import {
  type AppFilter,
  appsByKey,
  countResources,
  hideApp,
  insertApp,
  lockApp,
  pageOfApps,
  renameApp,
  updateApp,
} from './store.ts';
import { checkTexts, overwritten, readApp, showApp, withoutImage } from './translate.ts';

/** What apps need of others: the directory's memory, and the workflows that index their inputs. */
export interface AppsParts {
  readonly db: Database;
  readonly directory: { forget(): void; userOf(id: string): Promise<{ visibility: number } | undefined> };
  /** Copies a workflow into an app and makes it the app's default. @throws Fault when there is no such workflow */
  readonly copyWorkflowIntoApp: (
    tx: Tx,
    from: AppGrant,
    workflowId: string,
    toAppKey: number,
  ) => Promise<void>;
  /** Told that the base workflow may be another one now: what searches look into follows it in the background. */
  readonly onWorkflowChanged: (tx: Tx, grant: AppGrant) => Promise<void>;
  /** Runs the base workflow again over every input of the app. */
  readonly reindexApp: (tx: Tx, grant: AppGrant) => Promise<void>;
}

type Rpc =
  | 'postApps'
  | 'getApp'
  | 'listApps'
  | 'patchApp'
  | 'patchApps'
  | 'patchAppsDetails'
  | 'patchAppsIds'
  | 'deleteApp'
  | 'postAppsSearches'
  | 'getResourceCounts';

export function appHandlers(parts: AppsParts): ServicePart<Call, Rpc> {
  const { db, directory } = parts;

  return {
    /** Makes apps, all or none; the owner is the caller, whatever the body says. */
    async postApps(req, call) {
      if (call.user.role !== 'owner') throw appFault.ownerOnly('make apps here');
      const wanted = await Promise.all(
        req.apps.map(async (wire) => {
          const app = readApp(wire);
          await checkPublic(call, app.visibility);
          return { app, workflow: await workflowOf(call, wire) };
        }),
      );
      const keys = await db.transaction(async (tx) => {
        const made: number[] = [];
        for (const { app, workflow } of wanted) {
          const key = await insertApp(tx, call.user, app);
          if (key === undefined) throw appFault.duplicate(app.id);
          await parts.copyWorkflowIntoApp(tx, workflow.grant, workflow.id, key);
          made.push(key);
        }
        return made;
      });
      directory.forget();
      return { apps: (await appsByKey(db, call.user, keys)).map((row) => showApp(row)) };
    },

    async getApp(req, call) {
      const [row] = await appsByKey(db, call.app, [call.app.appKey]);
      if (!row) throw appFault.missing(call.app.appId);
      const counts = asksCounts(req.additionalFields)
        ? await countResources(db, call.app, row.key)
        : undefined;
      return { app: showApp(row, counts, true) };
    },

    async listApps(req, call) {
      const filter: AppFilter = {
        search: req.search,
        query: req.query,
        namePattern: req.name,
        idPattern: req.id,
        templateOnly: req.templateOnly,
        visibility: req.visibility?.gettable || undefined,
        sort: readSort(req.sortBy.value ? req.sortBy.case : undefined),
        ascending: req.sortAscending,
      };
      if (filter.sort === 'relevance' && !filter.search) throw appFault.relevanceNeedsSearch();
      // Nobody can star or feature an app yet, so these two lists are empty rather than wrong.
      if (req.starredOnly || req.featuredOnly) return { apps: [] };
      const rows = await pageOfApps(db, call.user, filter, readPage(req));
      const shown = [];
      for (const row of rows) {
        const counts = asksCounts(req.additionalFields)
          ? await countResources(db, call.user, row.key)
          : undefined;
        shown.push(showApp(row, counts));
      }
      return { apps: shown };
    },

    async postAppsSearches(req, call) {
      const namePattern = req.appQuery?.name ?? '';
      const filter: AppFilter = { ...everything, namePattern };
      const rows = await pageOfApps(db, call.user, filter, readPage(req.pagination));
      return { apps: rows.map((row) => showApp(row)) };
    },

    async patchApp(req, call) {
      if (!req.app) throw appFault.invalid('app is missing: send the fields to change in it.');
      const json = call.sent?.app as Record<string, unknown> | undefined;
      const [app] = await patchAll(call, [{ grant: call.app, sent: req.app, json }], req);
      return { app: app as App };
    },

    async patchApps(req, call) {
      return { apps: await patchAll(call, await wantedOf(call, req.apps), req) };
    },

    async patchAppsDetails(req, call) {
      const named = req.apps.map((app) =>
        app.id ? app : create(AppSchema, { id: call.app.appId, ...textsOf(app) }),
      );
      const wanted = (await wantedOf(call, named)).map(({ grant, sent, json }) => ({
        grant,
        sent: create(AppSchema, { id: sent.id, ...textsOf(sent) }),
        json:
          json &&
          Object.fromEntries(
            Object.entries(json).filter(([field]) => ['notes', 'description'].includes(field)),
          ),
      }));
      return { apps: await patchAll(call, wanted, { action: req.action, reindex: false }) };
    },

    async patchAppsIds(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      const [change, ...others] = req.ids;
      if (!change || others.length > 0)
        throw appFault.invalid(`ids holds ${req.ids.length} changes; send exactly one {id, new_id}.`);
      const trouble = change.newId === '' ? 'ids[].new_id is empty.' : idTrouble(change.newId, 'app');
      if (trouble) throw appFault.invalid(trouble);
      const grant = await call.appGrant('me', change.id);
      if (grant.role !== 'owner') throw appFault.ownerOnly('rename it');
      const done = await db.transaction((tx) => renameApp(tx, grant, change.newId)).catch(falseWhenTaken);
      if (!done) throw appFault.duplicate(change.newId);
      directory.forget();
      return { apps: (await appsByKey(db, grant, [grant.appKey])).map((row) => showApp(row)) };
    },

    /** Gone for every reader once this returns; rows and media follow in the background. */
    async deleteApp(_req, call) {
      if (call.app.role !== 'owner') throw appFault.ownerOnly('delete it');
      await db.transaction(async (tx) => {
        await hideApp(tx, call.app);
        await enqueue(tx, {
          kind: purgeKind,
          key: String(call.app.appKey),
          payload: { appKey: call.app.appKey },
        });
      });
      directory.forget();
      return {};
    },

    async getResourceCounts(_req, call) {
      const counts = await countResources(db, call.app, call.app.appKey);
      return {
        datasets: BigInt(counts.datasets),
        models: BigInt(counts.models),
        workflows: BigInt(counts.workflows),
        inputs: BigInt(counts.inputs),
      };
    },
  };

  /** All or none. */
  async function patchAll(call: Call, wanted: readonly Wanted[], how: How): Promise<App[]> {
    if (!['', 'overwrite', 'remove'].includes(how.action))
      throw commonFault.unknownAction(how.action, ['overwrite', 'remove']);
    const patches: Patch[] = [];
    for (const one of wanted) patches.push(await readPatch(call, one));
    await db.transaction(async (tx) => {
      for (const patch of patches) await patchOne(tx, patch, how);
    });
    directory.forget();
    const rows = await Promise.all(patches.map(({ grant }) => appsByKey(db, grant, [grant.appKey])));
    return rows.map(([row], i) => {
      if (!row) throw appFault.missing(patches[i]?.grant.appId ?? '');
      return showApp(row);
    });
  }

  /** Everything that can be checked, and looked up, before the transaction. */
  async function readPatch(call: Call, { grant, sent, json }: Wanted): Promise<Patch> {
    if (grant.role !== 'owner') throw appFault.ownerOnly('change it');
    checkTexts(sent);
    if (sent.visibility) await checkPublic(call, sent.visibility.gettable);
    const namesWorkflow = Boolean(sent.defaultWorkflow?.id || sent.defaultWorkflowId);
    const workflow = namesWorkflow ? await workflowOf(call, sent) : undefined;
    return { grant, sent, workflow, named: (field) => json !== undefined && field in json };
  }

  async function patchOne(tx: Tx, { grant, sent, workflow, named }: Patch, how: How): Promise<void> {
    const before = await lockApp(tx, grant);
    if (!before) throw appFault.missing(grant.appId);
    const kept = unpackBody(AppSchema, before.body);
    if (how.action === 'remove') {
      if (sent.image?.url && sent.image.url === kept.image?.url)
        await updateApp(tx, grant, withoutImage(before));
      return;
    }
    const metadata = metadataAfter(kept.metadata, sent.metadata, how.metadataAction);
    await updateApp(tx, grant, overwritten(before, sent, named, metadata));
    if (workflow) {
      await parts.copyWorkflowIntoApp(tx, workflow.grant, workflow.id, grant.appKey);
      await parts.onWorkflowChanged(tx, grant);
    }
    if (how.reindex) await parts.reindexApp(tx, grant);
  }

  async function wantedOf(call: Call, apps: readonly App[]): Promise<Wanted[]> {
    const sent = call.sent?.apps as Record<string, unknown>[] | undefined;
    return Promise.all(
      apps.map(async (app, i) => ({ grant: await call.appGrant('me', app.id), sent: app, json: sent?.[i] })),
    );
  }

  /** The workflow an app names, looked up where it says, else among the platform's own. */
  async function workflowOf(call: Call, wire: App): Promise<{ grant: AppGrant; id: string }> {
    const named: Partial<Workflow> = wire.defaultWorkflow ?? {};
    const id = named.id || wire.defaultWorkflowId || workflowByDefault.id;
    const userId = named.userId || workflowByDefault.userId;
    const appId = named.appId || workflowByDefault.appId;
    return { grant: await call.appGrant(userId, appId), id };
  }

  async function checkPublic(call: Call, wanted: number): Promise<void> {
    if (wanted < visibility.public) return;
    const user = await directory.userOf(call.caller.userId);
    if ((user?.visibility ?? 0) < visibility.public) throw commonFault.profilePrivate();
  }
}

/** Two that take one id at once: the database lets one through, and the other finds it taken. */
function falseWhenTaken(thrown: unknown): false {
  if ((thrown as { code?: unknown }).code === '23505') return false;
  throw thrown;
}

interface How {
  readonly action: string;
  readonly reindex: boolean;
  readonly metadataAction?: PatchAction | undefined;
}

/** An app to patch, with the JSON it came as. */
interface Wanted {
  readonly grant: AppGrant;
  readonly sent: App;
  readonly json: Record<string, unknown> | undefined;
}

interface Patch {
  readonly grant: AppGrant;
  readonly sent: App;
  readonly workflow: { grant: AppGrant; id: string } | undefined;
  /** Whether the request names this field, even if to empty it. */
  readonly named: (field: string) => boolean;
}

/** What PatchAppsDetails may change. */
const textsOf = ({ notes, description, image }: App) => ({ notes, description, image });

const everything: AppFilter = {
  search: '',
  query: '',
  namePattern: '',
  idPattern: '',
  templateOnly: false,
  visibility: undefined,
  sort: 'modified_at',
  ascending: false,
};

const asksCounts = (fields: readonly string[]): boolean =>
  fields.includes('counts') || fields.includes('all');

function metadataAfter(
  before: JsonObject | undefined,
  sent: JsonObject | undefined,
  action: PatchAction | undefined,
): JsonObject | undefined {
  if (action?.op)
    return patchMetadata((before ?? {}) as JsonMap, (sent ?? {}) as JsonMap, action) as JsonObject;
  return sent ?? before;
}

const sorts: Record<string, AppSort> = {
  sortByName: 'name',
  sortByModifiedAt: 'modified_at',
  sortByCreatedAt: 'created_at',
  sortByStarCount: 'star_count',
  sortById: 'id',
  sortByRelevance: 'relevance',
};

const readSort = (asked: string | undefined): AppSort => (asked && sorts[asked]) || 'modified_at';
