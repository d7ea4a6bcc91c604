import { create } from '@bufbuild/protobuf';
import {
  ModelSchema,
  type Workflow,
  type WorkflowNode,
  WorkflowNodeSchema,
  WorkflowSchema,
  type WorkflowVersion,
  WorkflowVersionSchema,
} from '@fovea/contract';
import { packBody, searchWords, showTime, showVisibility, unpackBody } from '../common/translate.ts';
import type { PinnedModel } from '../models/index.ts';
import type { WorkflowRow, WorkflowVersionRow } from './workflow.ts';

const workflowColumns = [
  'id',
  'appId',
  'userId',
  'createdAt',
  'modifiedAt',
  'nodes',
  'visibility',
  'version',
  'isStarred',
  'starCount',
] as const;
const versionColumns = [
  'id',
  'workflowId',
  'createdAt',
  'modifiedAt',
  'visibility',
  'appId',
  'userId',
  'isDeprecated',
] as const;

export const packWorkflow = (workflow: Workflow): Buffer =>
  packBody(WorkflowSchema, workflow, workflowColumns);
export const packWorkflowVersion = (version: WorkflowVersion): Buffer =>
  packBody(WorkflowVersionSchema, version, versionColumns);
export const bodyOfWorkflow = (row: Pick<WorkflowRow, 'body'>): Workflow =>
  unpackBody(WorkflowSchema, row.body);
export const bodyOfWorkflowVersion = (row: Pick<WorkflowVersionRow, 'body'>): WorkflowVersion =>
  unpackBody(WorkflowVersionSchema, row.body);

export const wordsOfWorkflow = (
  workflow: Pick<Workflow, 'id' | 'description' | 'notes'>,
  userId: string,
): string => searchWords(workflow.id, workflow.description, workflow.notes, userId);

/** A node as it is kept: its model named in full and pinned to a version, and nothing that goes stale. */
export function pinnedNode(node: WorkflowNode, { model, version }: PinnedModel): WorkflowNode {
  const pinned = create(WorkflowNodeSchema, { ...node });
  pinned.model = create(ModelSchema, {
    id: model.id,
    name: model.name,
    appId: model.appId,
    userId: model.userId,
    modelTypeId: model.typeId,
    modelVersion: { id: version.id, appId: model.appId, userId: model.userId },
  });
  return pinned;
}

export function showWorkflowVersion(row: WorkflowVersionRow, workflow: WorkflowRow): WorkflowVersion {
  return create(WorkflowVersionSchema, {
    ...bodyOfWorkflowVersion(row),
    id: row.id,
    workflowId: workflow.id,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    visibility: showVisibility(row.visibility),
    appId: workflow.appId,
    userId: workflow.userId,
    isDeprecated: row.isDeprecated,
  });
}

export function showWorkflow(row: WorkflowRow, version: WorkflowVersionRow | undefined): Workflow {
  const shown = version ? showWorkflowVersion(version, row) : undefined;
  return create(WorkflowSchema, {
    ...bodyOfWorkflow(row),
    id: row.id,
    appId: row.appId,
    userId: row.userId,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    visibility: showVisibility(row.visibility),
    nodes: shown?.nodes ?? [],
    ...(shown ? { version: shown } : {}),
  });
}
