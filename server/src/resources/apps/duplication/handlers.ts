import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type App,
  type AppDuplication,
  type AppDuplicationFilters,
  AppDuplicationFiltersSchema,
  AppDuplicationSchema,
  AppSchema,
  type ServicePart,
  type StatusCode,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import { type AppGrant, type UserGrant, visibility } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../../common/faults.ts';
import { status } from '../../common/status.ts';
import { packBody, showTime, unpackBody } from '../../common/translate.ts';
import { appFault } from '../faults.ts';
import type { AppsParts } from '../handlers.ts';
import { appsByKey, insertApp } from '../store.ts';
import { appOf } from '../translate.ts';
import { checkFlags, duplicationFault, fieldsOf, percentOf, scopesOf } from './duplication.ts';
import { duplicationJob } from './job.ts';
import {
  type DuplicationRow,
  findDuplication,
  insertDuplication,
  livingApps,
  pageOfDuplications,
  sharedApps,
} from './store.ts';

type Rpc = 'postAppDuplications' | 'getAppDuplication' | 'listAppDuplications';

const jobsMax = 16;

/** Where a copy goes: an app that is there, or one that is to be made. */
type Destination = { readonly grant: AppGrant } | { readonly made: App };

export function duplicationHandlers(parts: AppsParts): ServicePart<Call, Rpc> {
  const { db, directory } = parts;
  return {
    /** All or none are started. An app that is not there is made at once, so that its id is the caller's. */
    async postAppDuplications(req, call) {
      if (req.appDuplications.length === 0)
        throw duplicationFault.invalid('app_duplications is empty; send at least one.');
      if (req.appDuplications.length > jobsMax)
        throw commonFault.tooMany('app_duplications', req.appDuplications.length, jobsMax);
      const wanted: { id: string; filter: AppDuplicationFilters; to: Destination }[] = [];
      for (const sent of req.appDuplications) {
        const filter = sent.filter ?? everything();
        checkFlags(filter);
        const trouble = idTrouble(sent.id, 'app duplication');
        if (trouble) throw duplicationFault.invalid(trouble);
        wanted.push({ id: sent.id || newId(), filter, to: await destinationOf(call, sent) });
      }
      for (const { filter, to } of wanted) checkScopes(call.app, filter, to);
      const rows = await db.transaction(async (tx) => {
        const made: DuplicationRow[] = [];
        for (const { id, filter, to } of wanted) {
          const destAppKey = 'grant' in to ? to.grant.appKey : await makeApp(tx, call, to.made);
          const row = await insertDuplication(tx, call.app, {
            id,
            sourceAppKey: call.app.appKey,
            destAppKey,
            isNewApp: 'made' in to,
            filter: packBody(AppDuplicationFiltersSchema, filter, []),
          });
          if (!row) throw commonFault.duplicateId('app duplication', id);
          await enqueue(tx, duplicationJob(row.key));
          made.push(row);
        }
        return made;
      });
      directory.forget();
      return { appDuplications: await show(call.app, rows) };
    },

    async getAppDuplication(req, call) {
      const row = call.user.role === 'owner' && (await findDuplication(db, call.user, req.appDuplicationId));
      if (!row) throw duplicationFault.missing(req.appDuplicationId);
      const [appDuplication] = await show(call.user, [row]);
      return { appDuplication: appDuplication as AppDuplication };
    },

    async listAppDuplications(req, call) {
      if (call.user.role !== 'owner') return { appDuplications: [] };
      return {
        appDuplications: await show(call.user, await pageOfDuplications(db, call.user, readPage(req))),
      };
    },
  };

  /** The app that is named, in the new field or in one of the old ones. */
  async function destinationOf(call: Call, sent: AppDuplication): Promise<Destination> {
    const { destinationApp: named, existingAppId, newAppId, newAppName } = sent;
    if (existingAppId && (newAppId || named?.id))
      throw duplicationFault.invalid('existing_app_id goes with neither new_app_id nor destination_app.id.');
    const userId = named?.userId || call.caller.userId;
    const id = existingAppId || named?.id || newAppId;
    const there = id === '' ? undefined : await appIfThere(call, userId, id);
    if (there) {
      if (newAppId) throw appFault.duplicate(newAppId);
      if (there.appKey === call.app.appKey)
        throw duplicationFault.invalid('The destination is the source itself; name another app.');
      return { grant: there };
    }
    if (existingAppId) throw appFault.missing(existingAppId);
    if (userId !== call.caller.userId)
      throw duplicationFault.invalid(
        `destination_app.user_id is '${userId}'; an app is made for yourself alone.`,
      );
    const trouble = idTrouble(id, 'app');
    if (trouble) throw duplicationFault.invalid(trouble);
    return {
      made: create(AppSchema, { id: id || newId(), name: newAppName, description: named?.description ?? '' }),
    };
  }

  async function appIfThere(call: Call, userId: string, id: string): Promise<AppGrant | undefined> {
    try {
      return await call.appGrant(userId, id);
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.kind === 'not_found') return undefined;
      throw thrown;
    }
  }

  /** What the request leaves open is as in the source; nobody but its owner sees the copy. */
  async function makeApp(tx: Tx, call: Call, wanted: App): Promise<number> {
    const [source] = await appsByKey(tx, call.app, [call.app.appKey]);
    if (!source) throw appFault.missing(call.app.appId);
    const owner = await call.userGrant('me');
    const key = await insertApp(tx, owner, appOf(source, wanted));
    if (key === undefined) throw appFault.duplicate(wanted.id);
    if (source.workflowId) await parts.copyWorkflowIntoApp(tx, call.app, source.workflowId, key);
    return key;
  }

  async function show(grant: UserGrant, rows: readonly DuplicationRow[]): Promise<AppDuplication[]> {
    const keys = rows.map(({ destAppKey }) => destAppKey);
    const apps = new Map((await livingApps(db, keys)).map((app) => [app.key, app]));
    const shared = await sharedApps(db, grant.caller.userKey, keys);
    return rows.map((row) => {
      const app = apps.get(row.destAppKey);
      const isVisible =
        app &&
        (app.userKey === grant.caller.userKey || shared.has(app.key) || app.visibility >= visibility.public);
      return showDuplication(row, isVisible ? { id: app.id, userId: app.userId, name: app.id } : undefined);
    });
  }
}

const everything = (): AppDuplicationFilters =>
  create(AppDuplicationFiltersSchema, {
    copyInputs: true,
    copyConcepts: true,
    copyAnnotations: true,
    copyModels: true,
    copyWorkflows: true,
    copyInstalledModuleVersions: true,
  });

/** @throws Fault 11007 where the caller may not read what is copied, or not write it there */
function checkScopes(source: AppGrant, filter: AppDuplicationFilters, to: Destination): void {
  // A public app shows its models to strangers, never its inputs; and what of it is private stays so.
  if (!source.isMember) throw commonFault.membersOnly('copy it');
  for (const field of fieldsOf(filter)) {
    for (const scope of scopesOf[field].read)
      if (!source.holds(scope)) throw commonFault.scopeNeeded(scope, `to copy ${field} out of this app`);
    if (!('grant' in to)) continue;
    if (!to.grant.isMember) throw commonFault.membersOnly('copy something into it');
    for (const scope of scopesOf[field].write)
      if (!to.grant.holds(scope))
        throw commonFault.scopeNeeded(scope, `to copy ${field} into '${to.grant.appId}'`);
  }
  if ('made' in to && !source.holds('Apps_Add'))
    throw commonFault.scopeNeeded('Apps_Add', 'to make the destination app');
}

function showDuplication(
  row: DuplicationRow,
  destinationApp: MessageInitShape<typeof AppSchema> | undefined,
): AppDuplication {
  const filter = unpackBody(AppDuplicationFiltersSchema, row.filter);
  return create(AppDuplicationSchema, {
    id: row.id,
    ...(destinationApp ? { destinationApp } : {}),
    status: status(row.statusCode as StatusCode, row.statusDetails),
    createdAt: showTime(row.createdAt),
    lastModifiedAt: showTime(row.modifiedAt),
    filter,
    progress: fieldsOf(filter).map((field) => {
      const count = row.counts[field];
      return { field, value: count ? percentOf(count) : 0 };
    }),
  });
}
