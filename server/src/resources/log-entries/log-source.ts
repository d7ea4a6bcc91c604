import { createHash } from 'node:crypto';
import type { ComputeSourceMetadata, ListLogEntriesRequest, StreamLogEntriesRequest } from '@fovea/contract';

/** What lines are about, as lists, streams and posted lines name it. */
export interface LogSource {
  readonly logType: string;
  readonly userId: string;
  readonly appId: string;
  readonly ids: Readonly<Record<(typeof idFields)[number], string>>;
}

const idFields = [
  'modelId',
  'modelVersionId',
  'workflowId',
  'computeClusterUserId',
  'computeClusterId',
  'nodepoolId',
  'runnerId',
  'pipelineId',
  'pipelineVersionId',
  'pipelineVersionRunId',
  'pipelineStepId',
  'pipelineStepVersionId',
] as const;

export function sourceOf(
  logType: string,
  named: ListLogEntriesRequest | StreamLogEntriesRequest | ComputeSourceMetadata | undefined,
): LogSource {
  return {
    logType,
    userId: named?.userAppId?.userId ?? '',
    appId: named?.userAppId?.appId ?? '',
    ids: Object.fromEntries(idFields.map((field) => [field, named?.[field] ?? ''])) as LogSource['ids'],
  };
}

/**
 * Stands for a source in the database. Whose lines they are is a column of its own and not in it: one and the same
 * user may be named, or meant by naming none.
 */
export function digestOf({ logType, appId, ids }: LogSource): Buffer {
  const parts = [
    logType,
    appId,
    ...idFields.map((field) => (field === 'computeClusterUserId' ? '' : ids[field])),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** Where the REST binding of the contract lists these lines; the widest one where none fits. */
export function pathOf({ logType, userId, appId, ids }: LogSource): string {
  const part = (...names: string[]) => names.map((name) => encodeURIComponent(name)).join('/');
  const start = `/v2/users/${part(userId)}`;
  const end = `/${part(logType)}/logs`;
  if (ids.pipelineVersionRunId)
    return `${start}/apps/${part(appId, 'pipelines', ids.pipelineId, 'versions', ids.pipelineVersionId, 'runs', ids.pipelineVersionRunId)}${end}`;
  if (ids.runnerId)
    return `${start}/compute_clusters/${part(ids.computeClusterId, 'nodepools', ids.nodepoolId, 'runners', ids.runnerId)}${end}`;
  if (ids.computeClusterId && ids.modelVersionId)
    return `${start}/compute_clusters/${part(ids.computeClusterUserId || userId, ids.computeClusterId, 'nodepools', ids.nodepoolId, 'versions', ids.modelVersionId)}${end}`;
  if (ids.modelVersionId)
    return `${start}/apps/${part(appId, 'models', ids.modelId, 'versions', ids.modelVersionId)}${end}`;
  return `${start}/compute_clusters/${part(ids.computeClusterId)}${end}`;
}

/** The page that is meant: the last one where none is named or it lies beyond the end. 1-based. */
export function pageMeant(asked: number, size: number, count: number): number {
  const last = Math.max(1, Math.ceil(count / size));
  return asked === 0 || asked > last ? last : asked;
}
