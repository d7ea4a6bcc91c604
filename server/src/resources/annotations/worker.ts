import type { Annotation, Worker } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import type { WorkerKeys } from './annotation.ts';
import { annotationFault } from './faults.ts';
import { modelVersionKeys, userKeys, workflowVersionKeys } from './worker-store.ts';

/** Who made an annotation, as the request names it; nothing set means the caller. */
export interface NamedWorker {
  readonly kind: 'user' | 'model' | 'workflow';
  readonly id: string;
}

/** Reads `worker`, or else its deprecated mirrors `user_id` and `model_version_id`. */
export function readWorker(wire: Annotation, grant: AppGrant): NamedWorker {
  const named = fromWorker(wire.worker) ?? fromMirrors(wire);
  const id = named?.kind === 'user' && named.id === 'me' ? grant.caller.userId : named?.id;
  return named ? { kind: named.kind, id: id ?? '' } : { kind: 'user', id: grant.caller.userId };
}

function fromWorker(worker: Worker | undefined): NamedWorker | undefined {
  const named = worker?.worker;
  if (named?.case === 'user') return { kind: 'user', id: named.value.id };
  if (named?.case === 'model') return { kind: 'model', id: named.value.modelVersion?.id ?? '' };
  if (named?.case === 'workflow') return { kind: 'workflow', id: named.value.version?.id ?? '' };
  return undefined;
}

function fromMirrors({ userId, modelVersionId }: Annotation): NamedWorker | undefined {
  if (modelVersionId) return { kind: 'model', id: modelVersionId };
  return userId ? { kind: 'user', id: userId } : undefined;
}

export type WorkerOf = (named: NamedWorker) => WorkerKeys;

/**
 * Looks up the workers of a batch at once. The function returned throws for a worker that does not exist, or in
 * whose name the caller may not speak (SEMANTICS 5.6: only the owner of the app, for other users).
 */
export async function openWorkers(db: Db, grant: AppGrant, named: readonly NamedWorker[]): Promise<WorkerOf> {
  const idsOf = (kind: NamedWorker['kind']) => [
    ...new Set(named.filter((worker) => worker.kind === kind).map(({ id }) => id)),
  ];
  const others = idsOf('user').filter((id) => id !== grant.caller.userId);
  const users = await userKeys(db, others);
  users.set(grant.caller.userId, grant.caller.userKey);
  const models = await modelVersionKeys(db, grant, idsOf('model'));
  const workflows = await workflowVersionKeys(db, grant, idsOf('workflow'));
  return ({ kind, id }) => {
    if (kind === 'user' && id !== grant.caller.userId && grant.role !== 'owner')
      throw annotationFault.othersName();
    const key = { user: users, model: models, workflow: workflows }[kind].get(id);
    if (key === undefined) throw annotationFault.unknownWorker(kind, id);
    if (kind === 'user') return { userKey: key };
    return kind === 'model' ? { modelVersionKey: key } : { workflowVersionKey: key };
  };
}
