import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { WorkflowNodeSchema, WorkflowSchema, WorkflowVersionSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { BuiltinModel } from '#engine/index.ts';
import type { Database, Tx } from '#store/postgres/index.ts';
import { type Db, run, sql } from '#store/sql.ts';
import { readTrainedVersion, seedModels } from '../models/index.ts';
import { findWorkflow, insertWorkflow, updateWorkflow } from './store.ts';
import { packWorkflow, packWorkflowVersion, pinnedNode, wordsOfWorkflow } from './translate.ts';
import { insertWorkflowVersion, newestVersions } from './version-store.ts';

interface PlatformWorkflow {
  readonly id: string;
  readonly description: string;
  /** Node id and model id. */
  readonly nodes: readonly (readonly [nodeId: string, modelId: string])[];
}

const embed = ['general-embed', 'general-image-embedding'] as const;
const concept = ['general-concept', 'general-image-recognition'] as const;

/** Clients read outputs by position: concepts first, embeddings second. */
const platformWorkflows: readonly PlatformWorkflow[] = [
  { id: 'Empty', description: 'Does nothing: inputs are kept and not indexed.', nodes: [] },
  {
    id: 'General',
    description: 'Everyday things, and an embedding that makes pictures findable.',
    nodes: [concept, embed],
  },
  {
    id: 'Universal',
    description: 'Everyday things and where they are, and an embedding that makes pictures findable.',
    nodes: [concept, embed, ['general-detect', 'general-image-detection']],
  },
  {
    id: 'Face',
    description: 'Faces and their landmarks, and an embedding that makes pictures findable.',
    nodes: [['face-detect', 'face-detection'], ['face-landmarks', 'face-landmarks'], embed],
  },
];

/**
 * Sees to it that the platform's app holds the built-in models and workflows of this release. Safe to run at
 * every start and by several processes at once.
 *
 * @param grant on `clarifai/main`, as its owner
 */
export async function seedBuiltins(
  db: Database,
  grant: AppGrant,
  builtins: readonly BuiltinModel[],
): Promise<void> {
  await db.transaction(async (tx: Tx) => {
    await run(tx, sql`select pg_advisory_xact_lock(hashtext('fovea builtins'))`);
    await seedModels(tx, grant, builtins);
    for (const workflow of platformWorkflows) await seedWorkflow(tx, grant, workflow);
  });
}

async function seedWorkflow(db: Db, grant: AppGrant, wanted: PlatformWorkflow): Promise<void> {
  const wire = create(WorkflowSchema, { id: wanted.id, description: wanted.description });
  const facts = { visibility: 50, body: packWorkflow(wire), words: wordsOfWorkflow(wire, grant.userId) };
  const before = await findWorkflow(db, grant, wanted.id);
  const row = before ?? (await insertWorkflow(db, grant.appKey, { id: wanted.id, ...facts }));
  if (!row) throw new Error(`the workflow ${wanted.id} could not be stored`);
  if (before && !before.body.equals(facts.body)) await updateWorkflow(db, grant, row.key, facts);
  const pinned: { id: string; found: Awaited<ReturnType<typeof readTrainedVersion>> }[] = [];
  for (const [id, modelId] of wanted.nodes)
    pinned.push({ id, found: await readTrainedVersion(db, grant, modelId, '') });
  const body = packWorkflowVersion(
    create(WorkflowVersionSchema, {
      nodes: pinned.map(({ id, found }) => pinnedNode(create(WorkflowNodeSchema, { id }), found)),
    }),
  );
  const newest = (await newestVersions(db, 0, [row.key])).get(row.key);
  if (newest?.body.equals(body)) return;
  await insertWorkflowVersion(db, grant.appKey, row.key, {
    // Named after what it holds, so that it is the same on every server of one release.
    id: createHash('sha256').update(`fovea/${wanted.id}/`).update(body).digest('hex').slice(0, 32),
    visibility: 50,
    modelVersionKeys: pinned.map(({ found }) => found.version.key),
    body,
  });
}
