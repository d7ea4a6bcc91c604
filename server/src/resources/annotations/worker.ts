import type { Annotation, Worker } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import type { WorkerKeys } from './annotation.ts';
import { annotationFault } from './faults.ts';
import {
  type KnownVersion,
  modelVersions,
  userKeys,
  type VersionOwner,
  workflowVersions,
} from './worker-store.ts';

/** Who made an annotation, as the request names it; nothing set means the caller. */
export interface NamedWorker {
  readonly kind: 'user' | 'model' | 'workflow';
  /** Of the user, or of the version. */
  readonly id: string;
  /** Of a version: the model or workflow, its app and its user, as far as they are named. */
  readonly of?: VersionOwner;
}

/** Reads `worker`, or else its deprecated mirrors `user_id` and `model_version_id`. */
export function readWorker(wire: Annotation, grant: AppGrant): NamedWorker {
  const named = fromWorker(wire.worker) ?? fromMirrors(wire);
  if (!named || (named.kind === 'user' && named.id === 'me'))
    return { kind: 'user', id: grant.caller.userId };
  return named;
}

function fromWorker(worker: Worker | undefined): NamedWorker | undefined {
  const named = worker?.worker;
  if (named?.case === 'user') return { kind: 'user', id: named.value.id };
  if (named?.case === 'model')
    return { kind: 'model', id: named.value.modelVersion?.id ?? '', of: ownerOf(named.value) };
  if (named?.case === 'workflow')
    return { kind: 'workflow', id: named.value.version?.id ?? '', of: ownerOf(named.value) };
  return undefined;
}

const ownerOf = ({ id, appId, userId }: VersionOwner): VersionOwner => ({ id, appId, userId });

function fromMirrors({ userId, modelVersionId }: Annotation): NamedWorker | undefined {
  if (modelVersionId) return { kind: 'model', id: modelVersionId };
  return userId ? { kind: 'user', id: userId } : undefined;
}

export type WorkerOf = (named: NamedWorker) => WorkerKeys;

/**
 * Looks up the workers of a batch at once. The function returned throws for a worker that does not exist, or in
 * whose name the caller may not speak (SEMANTICS 5.6: only the owner of the app, for other users).
 */
export async function openWorkers(
  db: Db,
  grant: AppGrant,
  named: readonly NamedWorker[],
  { speaking = true } = {},
): Promise<WorkerOf> {
  const idsOf = (kind: NamedWorker['kind']) => [
    ...new Set(named.filter((worker) => worker.kind === kind).map(({ id }) => id)),
  ];
  const others = idsOf('user').filter((id) => id !== grant.caller.userId);
  const users = await userKeys(db, others);
  users.set(grant.caller.userId, grant.caller.userKey);
  const models = await modelVersions(db, grant, idsOf('model'));
  const workflows = await workflowVersions(db, grant, idsOf('workflow'));
  return ({ kind, id, of }) => {
    if (speaking && kind === 'user' && id !== grant.caller.userId && grant.role !== 'owner')
      throw annotationFault.othersName();
    const key =
      kind === 'user' ? users.get(id) : versionKey(kind === 'model' ? models : workflows, kind, id, of);
    if (key === undefined) throw annotationFault.unknownWorker(kind, id);
    if (kind === 'user') return { userKey: key };
    return kind === 'model' ? { modelVersionKey: key } : { workflowVersionKey: key };
  };
}

/** Version ids are unique within their model alone: the app's own come first, and two of them have to be told apart. */
function versionKey(
  known: readonly KnownVersion[],
  kind: 'model' | 'workflow',
  id: string,
  of: VersionOwner | undefined,
): number | undefined {
  const fits = known.filter(
    (one) =>
      one.versionId === id &&
      (!of?.id || one.id === of.id) &&
      (!of?.appId || one.appId === of.appId) &&
      (!of?.userId || one.userId === of.userId),
  );
  const own = fits.filter(({ isOwn }) => isOwn);
  const [first, ...others] = own.length > 0 ? own : fits;
  if (others.length > 0) throw annotationFault.ambiguousWorker(kind, id);
  return first?.key;
}
