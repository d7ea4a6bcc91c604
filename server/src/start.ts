import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ruleOf } from '@fovea/contract';
import pino from 'pino';
import type { Config } from '#config.ts';
import { armFailpoints, mayDie } from '#domain/failpoints.ts';
import type { AppGrant, UserGrant } from '#domain/grant.ts';
import type { VectorStore } from '#domain/vector-store.ts';
import { openEngine } from '#engine/index.ts';
import { openMediaDecoder } from '#engine/media/index.ts';
import { openVectorHost } from '#engine/vector/index.ts';
import { extensionRoutes } from '#extension-routes.ts';
import { openAuthorizer, openGateway } from '#gateway/index.ts';
import { jobHandlers, periodicJobs } from '#job-handlers.ts';
import { startJobs } from '#jobs/index.ts';
import { keptMasterKey } from '#master-key.ts';
import { openMetrics } from '#metrics.ts';
import { allMigrations } from '#migrations.ts';
import type { Deps } from '#resources/common/deps.ts';
import { openSealer } from '#resources/common/sealer.ts';
import { addJobHooks, uploadHooks } from '#resources/extraction/index.ts';
import {
  ensureFirstUser,
  ensurePlatformApp,
  type FirstUser,
  identityRoutes,
  openDirectory,
  openWelcome,
} from '#resources/identity/index.ts';
import { askingForWalks, type IndexingDeps, openPictureIndexer } from '#resources/indexing/index.ts';
import type { InputDeps } from '#resources/inputs/index.ts';
import { openPackageFolders } from '#resources/model-files/index.ts';
import { openHeads, withTrainedEmbedders } from '#resources/predictions/index.ts';
import { dropArchivesOfInputs } from '#resources/transfers/index.ts';
import { eraseEveryWhile, openMemoryIndexes, openVectorCatalog } from '#resources/vector-indexes/index.ts';
import { findEmbedders, openRunTimes, runBaseWorkflow, seedBuiltins } from '#resources/workflows/index.ts';
import { openHealth, plainRoutes } from '#routes.ts';
import { openService, type ServiceDeps, workflowParts } from '#service.ts';
import { openFetcher } from '#store/fetcher/index.ts';
import { openFileObjects, openS3Objects } from '#store/objects/index.ts';
import { migrate, openDatabase } from '#store/postgres/index.ts';
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
  const workDir = join(config.dataDir, 'work');
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
    dir: join(workDir, 'media'),
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
  whenStopping(eraseEveryWhile(memory, log));
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
    onSearched(way, stages, { share, matches, size, looked }) {
      metrics.searched(way, stages);
      log.debug({ way, share, matches, size, looked, stages: Object.fromEntries(stages) }, 'searched');
    },
    embeddersOf,
    keyGrant: async (secret, grant) => {
      const header = (name: string) => (name === 'authorization' ? `Key ${secret}` : undefined);
      return (await authorizer.authorize(ruleOf('PostInputs'), header, grant)).app as AppGrant;
    },
    uploadLimits: config.uploads,
    archiveLimits: config.archives,
    sourceEndpoints: config.sourceEndpoints,
    modelFileLimits: { bytesMax: config.models.bytesMax },
    modelWorkDir: join(workDir, 'models'),
    exportWorkDir: join(workDir, 'exports'),
  };
  const service = openService(serviceDeps, directory);
  if (config.roles.has('worker')) {
    const jobs = await startJobs({
      db,
      handlers: jobHandlers({
        deps: serviceDeps,
        indexing,
        directory,
        service,
        mainGrant,
        packageFolders,
        memory,
        stores,
        workDir,
      }),
      periodic: periodicJobs,
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
  const welcome = openWelcome();
  const gateway = openGateway({
    service,
    authorizer,
    routes: [
      ...plainRoutes({ db, metrics }),
      ...extensionRoutes({
        deps: serviceDeps,
        directory,
        service,
        authorizer,
        names: config.jsonNames,
        requestBytesMax: config.requestBytesMax,
      }),
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
