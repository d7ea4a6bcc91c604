import { StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { modelFault } from './faults.ts';
import type { ModelRow, VersionRow } from './model.ts';
import { findModel, findModelMovedTo } from './store.ts';
import { findVersion } from './version-store.ts';

/** @throws Fault 21200 for a model that is not there, MOVED for one that was renamed */
export async function readModelRow(db: Db, grant: AppGrant, id: string): Promise<ModelRow> {
  const row = await findModel(db, grant, id);
  if (row) return row;
  const movedTo = id === '' ? undefined : await findModelMovedTo(db, grant, id);
  if (movedTo && grant.isMember) throw modelFault.moved(id, movedTo);
  throw modelFault.missing(id);
}

/** A model and the version named, or its newest. @throws Fault 21200 where either is missing */
export async function readModelAndVersion(db: Db, grant: AppGrant, id: string, versionId: string) {
  const model = await readModelRow(db, grant, id);
  const version = await findVersion(db, grant, model.key, versionId ? { id: versionId } : {});
  if (versionId && !version) throw modelFault.missingVersion(id, versionId);
  return { model, version };
}

/**
 * The version that predicts: the one named, or the newest trained one (SEMANTICS 5.11).
 *
 * @throws Fault 21200 missing · 21102 or the training status where nothing is trained
 */
export async function readTrainedVersion(
  db: Db,
  grant: AppGrant,
  id: string,
  versionId: string,
): Promise<{ model: ModelRow; version: VersionRow }> {
  const model = await readModelRow(db, grant, id);
  const version = await findVersion(
    db,
    grant,
    model.key,
    versionId ? { id: versionId } : { trainedOnly: true },
  );
  if (!version) {
    if (versionId) throw modelFault.missingVersion(id, versionId);
    const newest = await findVersion(db, grant, model.key);
    throw modelFault.untrained(id, untrainedCode(newest));
  }
  if (version.statusCode !== StatusCode.MODEL_TRAINED) throw modelFault.untrained(id, untrainedCode(version));
  return { model, version };
}

/** While a training waits or runs its own code says so; after a failed one the model is simply untrained. */
const untrainedCode = (version: VersionRow | undefined): StatusCode =>
  version?.statusCode === StatusCode.MODEL_QUEUED_FOR_TRAINING ||
  version?.statusCode === StatusCode.MODEL_TRAINING
    ? version.statusCode
    : StatusCode.MODEL_UNTRAINED;

/** Id and app under which the models that come with the server live. */
export const mainApp = { userId: 'clarifai', appId: 'main' } as const;

/**
 * A grant on clarifai/main, whose models anybody may use; undefined where it is not public. App-specific keys have it
 * too: the REST clients of old call the platform's models with one, by an id and no app.
 */
export async function mainGrant(call: Call): Promise<AppGrant | undefined> {
  const isOpen = call.caller.onlyAppKey === undefined;
  const grant = isOpen ? call.appGrant : call.publicGrant;
  return grant.call(call, mainApp.userId, mainApp.appId).catch(() => undefined);
}

/**
 * The app that a message inside the request names as its model's, else the one the call is about.
 *
 * @throws Fault where the caller may not look there
 */
export async function grantNamed(
  call: Call,
  { userId, appId }: { userId: string; appId: string },
): Promise<AppGrant> {
  if (appId === '') return call.app;
  const isMain = userId === mainApp.userId && appId === mainApp.appId;
  return (isMain && (await mainGrant(call))) || call.appGrant(userId || call.app.userId, appId);
}
