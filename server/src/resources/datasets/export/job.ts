import { basename, join } from 'node:path';
import { DatasetVersionSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readMask } from '#engine/masks/index.ts';
import { enqueue, type JobHandler, type NewJob } from '#jobs/index.ts';
import type { Queryable } from '#store/postgres/index.ts';
import { unpackBody } from '../../common/translate.ts';
import { putZip } from '../../common/zip-object.ts';
import type { DatasetParts } from '../deps.ts';
import { fillArchive } from './archive.ts';
import type { LeftOut } from './records.ts';
import {
  archivesOfApp,
  beginExport,
  exportStatus,
  finishExport,
  unusedArchives,
  waitingExports,
} from './store.ts';
import type { VersionSource } from './version-records.ts';

export const exportKind = 'datasets.export';
export const freeArchivesKind = 'datasets.freeArchives';
export const sweepArchivesKind = 'datasets.sweepArchives';
export const archiveFolder = 'exports/';

interface ExportPayload {
  readonly objectKey: string;
}

export const exportJob = (appKey: number, objectKey: string): NewJob => ({
  kind: exportKind,
  key: objectKey,
  payload: { objectKey } satisfies ExportPayload,
  appKey,
});

/** For the transaction in which a version becomes ready (or never will): those who asked for archives before are served. */
export async function serveWaitingExports(
  tx: Queryable,
  appKey: number,
  versionKey: number,
  failure?: string,
): Promise<void> {
  for (const { objectKey } of await waitingExports(tx, versionKey)) {
    if (failure === undefined) await enqueue(tx, exportJob(appKey, objectKey));
    else await finishExport(tx, objectKey, { statusCode: exportStatus.failed, details: failure });
  }
}

export const freeArchivesJobs = (objectKeys: readonly string[]): NewJob[] =>
  objectKeys.length === 0 ? [] : [{ kind: freeArchivesKind, payload: { objectKeys }, priority: -10 }];

/** For the transaction in which an app's rows go: its archives follow. */
export const freeArchivesOfApp = async (tx: Queryable, appKey: number): Promise<void> =>
  enqueue(tx, freeArchivesJobs(await archivesOfApp(tx, appKey)));

/**
 * Makes archives. The bytes go to the object store as they are made; a store keeps nothing of a put that was cut off,
 * so a job that was killed begins again and leaves one archive.
 */
export const exportHandler = (parts: DatasetParts): JobHandler<ExportPayload> => ({
  async run([job], context) {
    if (!job) return;
    const { objectKey } = job.payload;
    const grant = await parts.jobGrant(job.appKey ?? 0);
    const work = grant && (await beginExport(parts.db, grant.appKey, objectKey));
    if (!work) return;
    const { embedModelVersionIds } = unpackBody(DatasetVersionSchema, work.versionBody);
    const { signal } = context;
    const source = {
      db: parts.db,
      grant,
      versionKey: work.versionKey,
      embedModelVersionIds: work.includeEmbeddings ? embedModelVersionIds : [],
      ...recordSource(parts, grant, work.baseUrl, signal),
    };
    mayDie('export-begun');
    try {
      const { made: leftOut, sizeBytes } = await putZip(
        { objects: parts.objects, objectKey, workDir: join(parts.workDir, basename(objectKey)), signal },
        (zip) => fillArchive(source, work.format, zip),
      );
      mayDie('export-stored');
      await parts.db.transaction(async (tx) => {
        const isWanted = await finishExport(tx, objectKey, {
          statusCode: exportStatus.success,
          sizeBytes,
          details: lossWords(leftOut),
        });
        if (!isWanted) await enqueue(tx, freeArchivesJobs([objectKey]));
        mayDie('export-done');
        await context.complete(tx, [job]);
      });
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.kind === 'internal' || thrown.kind === 'unavailable')
        throw thrown;
      await finishExport(parts.db, objectKey, { statusCode: exportStatus.failed, details: thrown.details });
    }
  },
  async onDead({ payload }, error, tx) {
    await finishExport(tx, payload.objectKey, { statusCode: exportStatus.unexpected, details: error });
  },
});

/** How a version is read, for whoever finds this server at `baseUrl`. */
export const recordSource = (
  parts: Pick<DatasetParts, 'showMedium' | 'openOriginal' | 'media'>,
  grant: AppGrant,
  baseUrl: string,
  signal: AbortSignal,
): Pick<VersionSource, 'showMedium' | 'openOriginal' | 'tools'> => ({
  showMedium: (input) => parts.showMedium(grant, baseUrl, input),
  openOriginal: (input) => parts.openOriginal(grant, input),
  tools: { readMask, media: parts.media, signal },
});

/** What COCO has no place for, in words; '' for nothing. */
function lossWords({ inputs, ofVideos }: LeftOut): string {
  const lost = [
    inputs === 0
      ? ''
      : `${inputs} ${inputs === 1 ? 'input that is no picture' : 'inputs that are no pictures'}`,
    ofVideos === 0 ? '' : `${ofVideos} ${ofVideos === 1 ? 'statement' : 'statements'} about whole videos`,
  ].filter((words) => words !== '');
  return lost.length === 0
    ? ''
    : `COCO has no place for ${lost.join(' and ')}; the other two formats hold them.`;
}

export const freeArchivesHandler = (parts: DatasetParts): JobHandler<{ objectKeys: readonly string[] }> => ({
  async run(jobs) {
    for (const { payload } of jobs)
      for (const key of await unusedArchives(parts.db, payload.objectKeys)) await parts.objects.delete(key);
  },
});

const objectsPerLook = 500;
/** An archive in the making may be this old before its row says where it is. */
const sweepAgeMsMin = 24 * 3_600_000;

/** Deletes archives of apps and datasets that are gone. */
export const sweepArchivesHandler = (parts: DatasetParts): JobHandler<object> => ({
  async run(_jobs, { signal }) {
    for (let after = ''; ; ) {
      signal.throwIfAborted();
      const objects = await parts.objects.list(archiveFolder, after, objectsPerLook);
      const old = objects.filter(({ modifiedAt }) => Date.now() - modifiedAt.getTime() > sweepAgeMsMin);
      for (const key of await unusedArchives(
        parts.db,
        old.map(({ key }) => key),
      ))
        await parts.objects.delete(key);
      if (objects.length < objectsPerLook) return;
      after = objects.at(-1)?.key ?? '';
    }
  },
});
