import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AnnotationSchema, ruleOf, SingleUploadResponseSchema } from '@fovea/contract';
import pino from 'pino';
import { type Config, ConfigError, loadConfig } from '#config.ts';
import { removeConnection, writeConnection } from '#connection-file.ts';
import { armFailpoints, mayDie } from '#domain/failpoints.ts';
import type { AppGrant, UserGrant } from '#domain/grant.ts';
import type { VectorStore } from '#domain/vector-store.ts';
import { openEngine } from '#engine/index.ts';
import { openMediaDecoder } from '#engine/media/index.ts';
import { openVectorHost } from '#engine/vector/index.ts';
import { encodeJson, openAuthorizer, openGateway, referenceRoutes } from '#gateway/index.ts';
import { startJobs } from '#jobs/index.ts';
import { openMetrics } from '#metrics.ts';
import { allMigrations } from '#migrations.ts';
import {
  historyRoute,
  maskRoute,
  termBackfillJobs,
  termBackfillPeriodic,
} from '#resources/annotations/index.ts';
import { appJobs } from '#resources/apps/index.ts';
import { bulkOperationJobs } from '#resources/bulk-operations/index.ts';
import { collectorJobs } from '#resources/collectors/index.ts';
import type { Deps } from '#resources/common/deps.ts';
import { openSealer } from '#resources/common/sealer.ts';
import { conceptJobs } from '#resources/concepts/index.ts';
import {
  beyondRoutes,
  datasetJobs,
  datasetPeriodicJobs,
  exportRoute,
  findDatasetKeys,
  freeArchivesOfApp,
} from '#resources/datasets/index.ts';
import { duplicateJobs, duplicateRoutes } from '#resources/duplicates/index.ts';
import { evaluationJobs, evaluationRoutes } from '#resources/evaluations/index.ts';
import {
  addJobHooks,
  extractionJobs,
  extractionPeriodicJobs,
  extractionRoute,
  uploadHooks,
} from '#resources/extraction/index.ts';
import {
  ensureFirstUser,
  ensurePlatformApp,
  type FirstUser,
  identityRoutes,
  openDirectory,
  openWelcome,
} from '#resources/identity/index.ts';
import {
  askingForWalks,
  changeOf,
  type IndexingDeps,
  indexingJobs,
  openPictureIndexer,
} from '#resources/indexing/index.ts';
import {
  findInputs,
  framesRoute,
  type InputDeps,
  inputJobs,
  inputPeriodicJobs,
  type MediaGrant,
  mediaRoutes,
  putPrints,
  readImageBytes,
  readInputText,
} from '#resources/inputs/index.ts';
import {
  modelExportRoute,
  modelFileJobs,
  modelFilePeriodicJobs,
  modelUploadRoute,
  openPackageFolders,
} from '#resources/model-files/index.ts';
import { trainingJobs, trainingPeriodicJobs, trainLogRoute } from '#resources/models/index.ts';
import { backendRoute, openAiRoutes, openHeads, withTrainedEmbedders } from '#resources/predictions/index.ts';
import { searchJobs } from '#resources/searches/index.ts';
import {
  callFor,
  dropArchivesOfInputs,
  freeTransfersOfApp,
  transferJobs,
  transferRoutes,
} from '#resources/transfers/index.ts';
import { uploadJobs, uploadPeriodicJobs, uploadRoutes } from '#resources/uploads/index.ts';
import {
  indexRoutes,
  type MemoryIndexes,
  openMemoryIndexes,
  openVectorCatalog,
  vectorJobs,
  vectorPeriodicJobs,
} from '#resources/vector-indexes/index.ts';
import {
  findEmbedders,
  openRunTimes,
  runBaseWorkflow,
  runTimesRoute,
  seedBuiltins,
} from '#resources/workflows/index.ts';
import { openHealth, plainRoutes } from '#routes.ts';
import {
  bulkParts,
  collectorJobParts,
  datasetParts,
  evaluationParts,
  modelFileParts,
  openService,
  type ServiceDeps,
  searchParts,
  transferParts,
  workflowParts,
} from '#service.ts';
import { openFetcher } from '#store/fetcher/index.ts';
import { openFileObjects, openS3Objects } from '#store/objects/index.ts';
import { FolderInUse, MigrationRefused, migrate, openDatabase, type Tx } from '#store/postgres/index.ts';
import { openPgVectorStore, openQdrantStore } from '#store/vectors/index.ts';
import { webRoutes } from '#web-routes.ts';

const graceMs = 10_000;

/** Starts everything; resolves when the port is open. What was opened before a failure is closed again. */
export async function start(config: Config): Promise<Running> {
  const opened: (() => Promise<unknown>)[] = [];
  // One that does not close keeps none of the others open, above all not the database.
  const stop = async () => {
    const troubles: unknown[] = [];
    for (const close of opened.splice(0).reverse()) await close().catch((error) => troubles.push(error));
    if (troubles.length > 0) throw troubles[0];
  };
  try {
    return { ...(await open(config, (close) => opened.push(close))), stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

export interface Running {
  readonly port: number;
  readonly publicUrl: string;
  readonly first: FirstUser;
  /** Opens one session of the first user; part of the link that the terminal shows. */
  readonly welcomeCode: string;
  /** Takes no more requests, lets the running ones and the jobs end, then stops the database. */
  stop(): Promise<void>;
  /** Something native hangs that no ordinary end of the process gets past. */
  hangs(): boolean;
}

async function open(
  config: Config,
  whenStopping: (close: () => Promise<unknown>) => void,
): Promise<Omit<Running, 'stop'>> {
  const log = pino({ level: config.logLevel });
  armFailpoints(config.failpoints);
  if (config.failpoints.length > 0)
    log.warn({ failpoints: config.failpoints }, 'checks are left out on purpose');
  await mkdir(config.dataDir, { recursive: true });
  const db = await openDatabase({
    dataDir: config.dataDir,
    ...(config.databaseUrl ? { databaseUrl: config.databaseUrl } : {}),
    ...(config.pgBinDir ? { binDir: config.pgBinDir } : {}),
    log,
  });
  whenStopping(() => db.close());
  await migrate(db, allMigrations);
  const sealer = openSealer(config.secretKey ?? (await keptMasterKey(config.dataDir)));
  mayDie('first-user-due');
  const first = await ensureFirstUser(db, sealer, { userId: config.user, pat: config.pat });
  const platformAppKey = await ensurePlatformApp(db);
  const directory = await openDirectory(db);
  const scheme = config.tls ? 'https' : 'http';
  let publicUrl = config.publicUrl ?? '';
  const linksTo = ({ caller }: UserGrant) => {
    const host = config.publicUrl === undefined ? caller.host : undefined;
    return host === undefined ? publicUrl : `${scheme}://${host}`;
  };
  const common: Deps = { db, log, sealer, publicUrl: linksTo };
  const metrics = openMetrics();
  const authorizer = openAuthorizer(directory);
  const objects = config.s3
    ? await openS3Objects({
        ...config.s3,
        ...config.s3.credentials,
        prefix: config.s3.prefix && `${config.s3.prefix}/`,
      })
    : openFileObjects(join(config.dataDir, 'objects'));
  const fetcher = openFetcher({ allow: [...config.fetchAllow.hosts, ...config.fetchAllow.ranges] });
  whenStopping(() => fetcher.close());
  const backendFetcher = openFetcher({
    allow: [...config.fetchAllow.hosts, ...config.fetchAllow.ranges],
    idleTimeoutMs: 600_000,
  });
  whenStopping(() => backendFetcher.close());
  const packageFolders = openPackageFolders(join(config.dataDir, 'packages'), objects);
  const networks = await openEngine({
    dataDir: config.dataDir,
    threads: config.inferenceThreads,
    waitMsMax: config.predictWaitMsMax,
    optIn: { faces: config.faces },
    packages: {
      folderOf: packageFolders.folderOf,
      limits: {
        memoryBytesMax: config.models.memoryBytesMax,
        runMsMax: 1000 * config.models.secondsMax,
      },
    },
    log: (level, message, fields) => log[level](fields ?? {}, message),
  });
  whenStopping(() => networks.close());
  const engine = withTrainedEmbedders(networks, openHeads(objects));
  const { mediaLimits } = config;
  const media = openMediaDecoder({
    dir: join(config.dataDir, 'work', 'media'),
    ffmpeg: config.ffmpeg,
    programFolders: config.programFolders,
    limits: {
      bytesMax: Math.max(mediaLimits.videoUrlBytesMax, mediaLimits.videoBytesMax, mediaLimits.audioBytesMax),
      durationSecondsMax: mediaLimits.durationSecondsMax,
      pixelsMax: mediaLimits.videoPixelsMax,
    },
  });
  const { jobGrant } = authorizer;
  const mainGrant = () => jobGrant(platformAppKey);
  const platformGrant = await mainGrant();
  mayDie('builtins-due');
  if (platformGrant) await seedBuiltins(db, platformGrant, engine.builtins());
  const embeddersOf = askingForWalks(db, findEmbedders);
  const indexing: IndexingDeps = {
    ...common,
    objects,
    engine,
    media,
    jobGrant,
    embeddersOf,
    warmIndex: async (grant, modelVersionKey) => void (await vectors.open(grant, modelVersionKey)),
    runBaseWorkflow: (grant, inputKeys) =>
      runBaseWorkflow(workflowParts(serviceDeps, directory), grant, inputKeys),
  };
  const deps: InputDeps = {
    ...common,
    addJobHooks: addJobHooks(common),
    archiveHooks: { onDelete: dropArchivesOfInputs },
    deletedKeptMs: config.deletedKeptMs,
    objects,
    fetcher,
    media,
    jobGrant,
    indexer: openPictureIndexer(indexing),
    limits: mediaLimits,
  };
  const vectorHost = openVectorHost({ dir: join(config.dataDir, 'vectors'), log });
  whenStopping(() => vectorHost.close());
  const stores: VectorStore[] = [openPgVectorStore(db)];
  if (config.qdrant) stores.push(openQdrantStore(config.qdrant));
  const memory = openMemoryIndexes(db, vectorHost, log);
  const vectors = openVectorCatalog({ db, memory, stores, log });
  const runTimes = openRunTimes();
  const serviceDeps: ServiceDeps = {
    backendFetcher,
    runTimes,
    ...deps,
    ...uploadHooks,
    engine,
    vectors,
    searchTimeoutMs: config.searchTimeoutMs,
    onSearched: metrics.searched,
    embeddersOf,
    keyGrant: async (secret, grant) => {
      const header = (name: string) => (name === 'authorization' ? `Key ${secret}` : undefined);
      return (await authorizer.authorize(ruleOf('PostInputs'), header, grant)).app as AppGrant;
    },
    uploadLimits: config.uploads,
    archiveLimits: config.archives,
    sourceEndpoints: config.sourceEndpoints,
    modelFileLimits: { bytesMax: config.models.bytesMax },
    modelWorkDir: join(config.dataDir, 'work', 'models'),
    exportWorkDir: join(config.dataDir, 'work', 'exports'),
  };
  const service = openService(serviceDeps, directory);
  const workDir = join(config.dataDir, 'work', 'transfers');
  if (config.roles.has('worker')) {
    const jobs = await startJobs({
      db,
      handlers: {
        ...appJobs({ db, jobGrant, onPurge: (tx, appKey) => freeFilesOfApp(tx, appKey, memory) }),
        ...termBackfillJobs({
          db,
          log,
          jobGrant,
          readInputText: (grant, inputKey) => readInputText({ db, objects }, grant, inputKey),
        }),
        ...conceptJobs(serviceDeps),
        ...bulkOperationJobs({ ...bulkParts(serviceDeps), jobGrant }),
        ...collectorJobs(collectorJobParts(serviceDeps, directory, mainGrant)),
        ...datasetJobs(datasetParts(serviceDeps, directory)),
        ...inputJobs(deps),
        ...transferJobs(transferParts(serviceDeps, service, workDir)),
        ...uploadJobs(serviceDeps),
        ...modelFileJobs({ ...modelFileParts(serviceDeps), packageFolders }),
        ...extractionJobs(serviceDeps),
        ...indexingJobs(indexing),
        ...duplicateJobs({
          db,
          log,
          vectors,
          jobGrant,
          servingEmbedderOf: async (reads, grant) => (await embeddersOf(reads, grant)).serving,
          putPrints,
          readImageBytes: (grant, inputKey) => readImageBytes({ db, objects }, grant, inputKey),
        }),
        ...vectorJobs({ db, vectors, stores, log, jobGrant }),
        ...searchJobs({ ...searchParts(serviceDeps), log, jobGrant }),
        ...evaluationJobs(evaluationParts(serviceDeps, directory)),
        ...trainingJobs({
          ...common,
          objects,
          trainingWorkDir: join(config.dataDir, 'work', 'training'),
          engine,
          jobGrant,
          mainGrant,
          baseEmbedderOf: async (reads, grant) => (await embeddersOf(reads, grant)).base,
          readImageBytes: (grant, inputKey) => readImageBytes({ db, objects }, grant, inputKey),
        }),
      },
      periodic: [
        ...termBackfillPeriodic,
        ...inputPeriodicJobs,
        ...uploadPeriodicJobs,
        ...datasetPeriodicJobs,
        ...extractionPeriodicJobs,
        ...trainingPeriodicJobs,
        ...vectorPeriodicJobs,
        ...modelFilePeriodicJobs,
      ],
      reclaimAll: config.databaseUrl === undefined,
      log,
    });
    whenStopping(() => jobs.stop());
  }
  if (!config.roles.has('api')) {
    const health = await openHealth(plainRoutes({ db, metrics }), config.host, config.port);
    whenStopping(() => health.close());
    return { port: health.port, publicUrl, first, welcomeCode: '', hangs: networks.hangs };
  }
  const annotationsGrant: Parameters<typeof maskRoute>[0]['annotationsGrant'] = async (
    header,
    userId,
    appId,
  ) => (await authorizer.authorize(ruleOf('ListAnnotations'), header, { userId, appId })).app as AppGrant;
  const grantFor = async (
    rpc: string,
    header: Parameters<typeof annotationsGrant>[0],
    userId: string,
    appId: string,
  ) => (await authorizer.authorize(ruleOf(rpc), header, { userId, appId })).app as AppGrant;
  // Whoever may call GetInput on the app may see its media.
  const mediaGrant: MediaGrant = (header, userId, appId) => grantFor('GetInput', header, userId, appId);
  const welcome = openWelcome();
  const gateway = openGateway({
    service,
    authorizer,
    routes: [
      ...plainRoutes({ db, metrics }),
      ...mediaRoutes({ db, objects, media, mediaGrant }),
      framesRoute({ db, objects, media, mediaGrant }),
      historyRoute({
        db,
        findInputs,
        annotationsGrant,
        encode: (annotation) => encodeJson(AnnotationSchema, annotation, { names: config.jsonNames }),
      }),
      ...uploadRoutes({
        ...serviceDeps,
        partBytesMax: config.requestBytesMax,
        encode: (reply) => encodeJson(SingleUploadResponseSchema, reply, { names: config.jsonNames }),
        grantFor: async (rpc, header, userId, appId) =>
          (await authorizer.authorize(ruleOf(rpc), header, { userId, appId })).app as AppGrant,
      }),
      ...indexRoutes({ db, vectors, embeddersOf, changeOf, grantFor }),
      ...duplicateRoutes({ db, grantFor, findDatasetKeys }),
      ...beyondRoutes({
        db,
        grantFor: async (rpc, header, userId, appId) =>
          (await authorizer.authorize(ruleOf(rpc), header, { userId, appId })).app as AppGrant,
      }),
      ...transferRoutes({
        db,
        objects,
        grantFor: async (rpcs, header, userId, appId) => {
          const grants: AppGrant[] = [];
          for (const rpc of rpcs)
            grants.push((await authorizer.authorize(ruleOf(rpc), header, { userId, appId })).app as AppGrant);
          return grants[0] as AppGrant;
        },
      }),
      exportRoute({
        db,
        objects,
        grant: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('GetDatasetVersion'), header, { userId, appId }))
            .app as AppGrant,
      }),
      maskRoute({ db, annotationsGrant }),
      extractionRoute({
        db,
        grantFor: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('GetInputsExtractionJob'), header, { userId, appId }))
            .app as AppGrant,
      }),
      trainLogRoute(db),
      backendRoute({
        ...common,
        grant: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('PostModelVersions'), header, { userId, appId }))
            .app as AppGrant,
      }),
      ...openAiRoutes({
        grant: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('PostModelOutputs'), header, { userId, appId })).app as AppGrant,
        predict: async (grant, request, signal) => {
          const reply = await service.postModelOutputs(request, callFor('PostModelOutputs', grant, signal));
          return reply as Awaited<ReturnType<Parameters<typeof openAiRoutes>[0]['predict']>>;
        },
        generate: (grant, request, signal) =>
          service.generateModelOutputs(request, callFor('GenerateModelOutputs', grant, signal)) as ReturnType<
            Parameters<typeof openAiRoutes>[0]['generate']
          >,
      }),
      modelUploadRoute({
        ...modelFileParts(serviceDeps),
        grant: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('PostModelVersionsUpload'), header, { userId, appId }))
            .app as AppGrant,
      }),
      modelExportRoute({
        db,
        objects,
        grant: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('GetModelVersionExport'), header, { userId, appId }))
            .app as AppGrant,
      }),
      runTimesRoute({ runTimes, signIn: authorizer.signIn }),
      ...evaluationRoutes({
        ...evaluationParts(serviceDeps, directory),
        evaluationGrant: async (header, userId, appId) =>
          (await authorizer.authorize(ruleOf('GetEvaluation'), header, { userId, appId })).app as AppGrant,
      }),
      ...referenceRoutes(),
      ...identityRoutes({
        db,
        sealer,
        directory,
        adminId: config.user,
        signIn: authorizer.signIn,
        secureCookies: () => publicUrl.startsWith('https:'),
        welcome,
        firstToken: first.pat,
      }),
      ...webRoutes(),
    ],
    log,
    metrics,
    names: config.jsonNames,
    requestBytesMax: config.requestBytesMax,
    rateLimit: config.rateLimit,
    tls: config.tls && { cert: Buffer.from(config.tls.cert), key: Buffer.from(config.tls.key) },
  });
  whenStopping(() => gateway.close(graceMs));
  const port = await gateway.listen(config.host, config.port);
  mayDie('port-open');
  publicUrl ||= `${scheme}://localhost:${port}`;
  return { port, publicUrl, first, welcomeCode: welcome.code, hangs: networks.hangs };
}

async function freeFilesOfApp(tx: Tx, appKey: number, memory: MemoryIndexes): Promise<void> {
  await memory.forgetApp(tx, appKey);
  await freeArchivesOfApp(tx, appKey);
  await freeTransfersOfApp(tx, appKey);
}

/** The master key made at the first start; losing it loses the sealed copies of keys and secrets. */
async function keptMasterKey(dataDir: string): Promise<Buffer> {
  const path = join(dataDir, 'master.key');
  const kept = await readFile(path).catch(() => undefined);
  if (kept) return kept;
  // Under its name it is whole from the start: half a key would lock the data up for good.
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, randomBytes(32), { mode: 0o600, flush: true });
  mayDie('master-key-due');
  await link(draft, path).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return readFile(path);
}

export async function main(): Promise<void> {
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const line of error.lines) console.error(line);
    process.exitCode = 1;
    return;
  }
  const server = await start(config).catch(explain);
  const { userId, pat } = server.first;
  // Programs on this machine reach the port here, whatever the public URL of a proxy in front says.
  const host = ['0.0.0.0', '::'].includes(config.host) ? 'localhost' : config.host;
  const url = `${config.tls ? 'https' : 'http'}://${host}:${server.port}`;
  await writeConnection(config.dataDir, { url, userId, pat: config.secretKey ? undefined : pat });
  console.log(welcomeText(server));
  const end = (code: number) => {
    if (server.hangs()) process.kill(process.pid, 'SIGKILL');
    process.exit(code);
  };
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    try {
      await removeConnection(config.dataDir);
      await server.stop();
      end(0);
    } catch (error) {
      console.error('Something did not stop cleanly:', error);
      end(1);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
}

/** Troubles that the person at the terminal can mend are one line; anything else is ours, and shown whole. */
function explain(error: unknown): never {
  const { code, port } = error as { code?: string; port?: number };
  const known =
    error instanceof FolderInUse ||
    error instanceof MigrationRefused ||
    (error as Error)?.message?.includes('DATABASE_URL');
  if (code === 'EADDRINUSE')
    console.error(`FOVEA_PORT: port ${port} is in use; stop the other program or choose another port.`);
  else if (code === 'EACCES' && port !== undefined)
    console.error(`FOVEA_PORT: port ${port} is not allowed to this user; choose one above 1023.`);
  else console.error(known ? (error as Error).message : error);
  process.exit(1);
}

/** What a newcomer needs first. The token is shown at the start that made it, and never again. */
function welcomeText({ publicUrl: url, first, welcomeCode }: Running): string {
  const token = first.isNew ? first.pat : '(shown at the first start; FOVEA_PAT sets a new one)';
  return `
Fovea is ready.

  Web page   ${url}/${welcomeCode && `start#${welcomeCode}`}
  User id    ${first.userId}
  Token      ${token}

With the official Node client (npm install clarifai-nodejs):

  import { Model } from 'clarifai-nodejs';
  const model = new Model({ modelId: 'general-image-detection', authConfig: { base: '${url}', userId: 'clarifai', appId: 'main', pat: TOKEN } });
  console.log((await model.predictByFilepath({ filepath: 'photo.jpg', inputType: 'image' }))[0].data.regionsList);
`;
}

await main();
