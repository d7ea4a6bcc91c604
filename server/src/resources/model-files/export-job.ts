import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { packagePrefix } from '#engine/index.ts';
import { enqueue, type Job, type JobHandler } from '#jobs/index.ts';
import { bytesOf, contentKey, type ObjectStore } from '#store/objects/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { readTar } from '../extraction/index.ts';
import { bodyOfVersion, type PinnedModel, pinnedModels } from '../models/index.ts';
import { packageKey } from './build-version.ts';
import type { ModelFileDeps } from './deps.ts';
import { setExport } from './store.ts';
import { type TarFile, tarOf } from './tar-writer.ts';
import { bodyText, headFileName, type VersionFile, versionFileName } from './version-file.ts';

const exportKind = 'models.export';
export const exportsFolder = 'model-exports/';

interface ExportPayload {
  readonly versionKey: number;
}

export const enqueueExport = (tx: Tx, grant: AppGrant, versionKey: number): Promise<void> =>
  enqueue(tx, {
    kind: exportKind,
    key: String(versionKey),
    payload: { versionKey },
    appKey: grant.appKey,
    maxAttempts: 3,
  });

/** Makes the tar of a version: what it is, what training made, and the networks that were brought. */
export function exportJobs(deps: ModelFileDeps): Record<string, JobHandler> {
  return {
    [exportKind]: {
      async run([first], context) {
        const job = first as Job<ExportPayload>;
        const { versionKey } = job.payload;
        const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
        const pinned = grant && (await pinnedModels(deps.db, grant, [versionKey])).get(versionKey);
        if (!grant || !pinned) return;
        if (!(await setExport(deps.db, grant, versionKey, { code: StatusCode.MODEL_EXPORTING }))) return;
        mayDie('model-export-begun');
        const objectKey = `${exportsFolder}${versionKey}-${randomBytes(8).toString('hex')}.tar`;
        const { sizeBytes } = await deps.objects.put(objectKey, Readable.from(exportOf(deps, pinned)));
        mayDie('model-export-stored');
        await deps.db.transaction(async (tx) => {
          await setExport(tx, grant, versionKey, { code: StatusCode.MODEL_EXPORTED, objectKey, sizeBytes });
          mayDie('model-export-ended');
          await context.complete(tx, [job]);
        });
      },
      async onDead(job, error, tx) {
        const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
        const { versionKey } = job.payload as ExportPayload;
        if (!grant) return;
        deps.log.error({ versionKey, error }, 'a model could not be exported');
        await setExport(tx, grant, versionKey, {
          code: StatusCode.MODEL_EXPORTING_FAILED,
          details: 'The export failed on the server; ask for it again.',
        });
      },
    },
  };
}

async function* exportOf(deps: ModelFileDeps, { model, version }: PinnedModel): AsyncGenerator<Buffer> {
  const { builtin, headSha } = version;
  const sha = builtin?.startsWith(packagePrefix) ? builtin.slice(packagePrefix.length) : undefined;
  const own = deps.engine.builtins().find((one) => one.id === builtin);
  const file: VersionFile = {
    format: 'fovea-model-version',
    formatVersion: 1,
    typeId: model.typeId,
    license: version.license,
    description: version.description,
    conceptIds: version.conceptIds,
    body: bodyText(bodyOfVersion(version)),
    network:
      builtin === null
        ? { kind: 'none' }
        : sha !== undefined
          ? { kind: 'package' }
          : { kind: 'builtin', id: builtin, fingerprint: own?.fingerprint ?? '' },
    ...(headSha ? { head: { sha256: headSha.toString('hex') } } : {}),
  };
  const files = [textFile(versionFileName, `${JSON.stringify(file, null, 2)}\n`)];
  if (headSha) files.push(await objectFile(deps.objects, headFileName, contentKey(headSha.toString('hex'))));
  if (sha !== undefined) files.push(...(await filesOfPackage(deps.objects, sha)));
  yield* tarOf(files);
}

function textFile(name: string, text: string): TarFile {
  const bytes = Buffer.from(text);
  return { name, sizeBytes: bytes.length, content: () => [bytes] };
}

async function objectFile(objects: ObjectStore, name: string, key: string): Promise<TarFile> {
  const stored = await objects.get(key);
  if (!stored) throw new Error(`object ${key} is missing`);
  const bytes = await bytesOf(stored);
  return { name, sizeBytes: bytes.length, content: () => [bytes] };
}

/** The files of a package, read again when it is their turn. */
async function filesOfPackage(objects: ObjectStore, sha: string): Promise<TarFile[]> {
  const entries = async function* () {
    const stored = await objects.get(packageKey(sha));
    if (!stored) throw new Error(`package ${sha} is missing`);
    yield* readTar(stored.stream as AsyncIterable<Buffer>);
  };
  const files: TarFile[] = [];
  for await (const { path, sizeBytes } of entries()) {
    files.push({
      name: path,
      sizeBytes,
      async *content() {
        for await (const entry of entries()) if (entry.path === path) yield* entry.content();
      },
    });
  }
  return files;
}
