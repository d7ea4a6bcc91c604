import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type Annotation,
  DeleteInputsRequestSchema,
  type Input,
  MultiInputResponseSchema,
  PackedReply,
  PatchAnnotationsRequestSchema,
  PostAnnotationsRequestSchema,
  PostInputsRequestSchema,
} from '@fovea/contract';
import { appEmbedders } from '#domain/app-embedders.ts';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { openEngine } from '#engine/index.ts';
import { openMediaDecoder } from '#engine/media/index.ts';
import { openAuthorizer } from '#gateway/index.ts';
import { startJobs } from '#jobs/index.ts';
import { allMigrations } from '#migrations.ts';
import { openFetcher } from '#store/fetcher/index.ts';
import { silentLog } from '#store/log.ts';
import { openFileObjects } from '#store/objects/index.ts';
import { openTestDatabase } from '#store/postgres/testing.ts';
import { annotationHandlers } from '../annotations/index.ts';
import { openDirectory } from '../identity/index.ts';
import { findInputs, inputHandlers, inputJobs, pictureSizes, textLengths } from '../inputs/index.ts';
import {
  embeddingOf,
  indexingJobs,
  onAnnotated,
  openPictureIndexer,
  reindexApp,
  unpackVector,
} from './index.ts';

const builtin = 'general-image-embedding';

/**
 * One app on a real database, object store, engine and queue, with two versions of an embedder to choose from:
 * for what cannot be seen through the front door, the rows of vectors and the files of media.
 */
export async function openIndexedApp() {
  const db = await openTestDatabase(allMigrations);
  await db.query(`insert into users (id) values ('u')`);
  await db.query(`insert into apps (user_key, id) values (1, 'a')`);
  await db.query(`insert into models (app_key, id, type_id) values (1, 'm', 'visual-embedder')`);
  await db.query(
    `insert into model_versions (app_key, model_key, id, status_code, builtin) select 1, 1, id, 21100, $1 from unnest($2::text[]) id`,
    [builtin, ['v1', 'v2']],
  );
  const { jobGrant } = openAuthorizer(await openDirectory(db));
  const grant = (await jobGrant(1)) as AppGrant;
  const objects = openFileObjects(join(db.dataDir, 'objects'));
  const engine = await openEngine({ dataDir: db.dataDir, threads: 1, log: () => {} });
  const fetcher = openFetcher();
  const media = openMediaDecoder({ dir: join(db.dataDir, 'work') });
  const chosen = { modelVersionKey: 1, builtin };
  const common = {
    db,
    log: silentLog,
    sealer: {} as never,
    publicUrl: () => 'http://host',
    objects,
    jobGrant,
  };
  const indexing = {
    ...common,
    engine,
    media,
    embeddersOf: async () => appEmbedders({ ...chosen }, undefined, undefined),
  };
  const deps = { ...common, fetcher, media, indexer: openPictureIndexer(indexing), deletedKeptMs: 0 };
  const jobs = await startJobs({ db, handlers: { ...inputJobs(deps), ...indexingJobs(indexing) } });
  const inputs = inputHandlers(deps);
  const annotations = annotationHandlers({
    ...common,
    fetcher,
    findInputs,
    pictureSizes,
    textLengths,
    onAnnotated,
  });
  const call = { app: grant, caller: grant.caller, sent: undefined } as unknown as Call;
  return {
    db,
    jobs,
    chosen,
    post: async (wanted: MessageInitShape<typeof PostInputsRequestSchema>['inputs']) => {
      const reply = await inputs.postInputs(create(PostInputsRequestSchema, { inputs: wanted }), call);
      await jobs.idle();
      return reply instanceof PackedReply
        ? fromBinary(MultiInputResponseSchema, reply.fields).inputs
        : (reply.inputs as Input[]);
    },
    annotate: async (wanted: MessageInitShape<typeof PostAnnotationsRequestSchema>['annotations']) => {
      const reply = await annotations.postAnnotations(
        create(PostAnnotationsRequestSchema, { annotations: wanted }),
        call,
      );
      await jobs.idle();
      return reply.annotations as Annotation[];
    },
    patch: async (wanted: MessageInitShape<typeof PatchAnnotationsRequestSchema>['annotations']) => {
      const request = create(PatchAnnotationsRequestSchema, { action: 'merge', annotations: wanted });
      await annotations.patchAnnotations(request, call);
      await jobs.idle();
    },
    delete: async (ids: string[]) => {
      await inputs.deleteInputs(create(DeleteInputsRequestSchema, { ids }), call);
      await jobs.idle();
    },
    reindex: async () => {
      await db.transaction((tx) => reindexApp(tx, grant));
      await jobs.idle();
    },
    vectorOf: async (id: string) => {
      const [found] = await findInputs(db, grant, [id]);
      return found && embeddingOf(db, grant, found.key, chosen.modelVersionKey);
    },
    vectorOfAnnotation: async (id: string) => {
      const [row] = await db.query<{ vector: Buffer }>(
        'select e.vector from embeddings e join annotations a on a.key = e.annotation_key where a.id = $1 and e.model_version_key = $2',
        [id, chosen.modelVersionKey],
      );
      return row && unpackVector(row.vector);
    },
    async files() {
      const names = await readdir(join(db.dataDir, 'objects', 'media'), { recursive: true });
      return names.filter((name) => /[0-9a-f]{64}$/.test(name)).length;
    },
    async close() {
      await jobs.stop();
      await engine.close();
      await fetcher.close();
      await db.close();
    },
  };
}
