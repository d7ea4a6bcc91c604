import { createHash, randomBytes } from 'node:crypto';
import { type PostModelVersionsUploadConfig, type ServicePart, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import {
  findVersion,
  insertVersion,
  lockModel,
  modelFault,
  packVersion,
  readVersion,
  setUploadStatus,
  touchModel,
} from '../models/index.ts';
import { enqueueBuild } from './build-job.ts';
import type { ModelFileDeps } from './deps.ts';
import { modelFileFault } from './faults.ts';
import { addPart, findUpload, insertUpload, partsOf, type UploadRow } from './store.ts';

export const partsFolder = 'model-uploads/';

export interface Open {
  readonly id: string;
  readonly upload: UploadRow;
}

export function uploadHandlers(deps: ModelFileDeps): ServicePart<Call, 'postModelVersionsUpload'> {
  const { begin, take } = openUploads(deps);
  return {
    /**
     * Takes the files of a model version in parts. The first message says what comes and is answered at once, because
     * official clients wait for that (SEMANTICS trap 14); every part is answered when it is kept. Broken off, it goes on
     * with the version's id: `bytes_remaining` says how much is missing, and parts that come again count once.
     */
    async *postModelVersionsUpload(requests, call) {
      let open: Open | undefined;
      for await (const { uploadData } of requests) {
        if (!open) {
          if (uploadData.case !== 'uploadConfig') throw modelFileFault.noConfig();
          open = await begin(call.app, uploadData.value);
          yield progress(open);
          if (open.upload.receivedBytes === open.upload.totalBytes) yield building(open);
        } else {
          if (uploadData.case !== 'contentPart') throw modelFileFault.noConfig();
          const { partNumber, data } = uploadData.value;
          open = await take(call.app, open, Number(partNumber), data);
          yield open.upload.receivedBytes < open.upload.totalBytes ? progress(open) : building(open);
        }
      }
    },
  };
}

/** Uploads as both ways in see them: the RPC and the route for bare bytes. */
export function openUploads(deps: ModelFileDeps) {
  const { db } = deps;
  return { begin, take };

  async function begin(app: AppGrant, config: PostModelVersionsUploadConfig): Promise<Open> {
    const settings = readVersion(config.modelVersion, undefined);
    const trouble = settings.id ? idTrouble(settings.id, 'model version') : undefined;
    if (trouble) throw modelFault.invalid(trouble);
    const totalBytes = Number(config.totalSize);
    return db.transaction(async (tx) => {
      const model = await lockModel(tx, app, config.modelId);
      if (!model) throw modelFault.missing(config.modelId);
      const known = settings.id ? await findVersion(tx, app, model.key, { id: settings.id }) : undefined;
      if (known) {
        const upload = await findUpload(tx, app, known.key);
        if (!upload) throw modelFileFault.notUploading(known.id);
        if (totalBytes > 0 && totalBytes !== upload.totalBytes)
          throw modelFileFault.otherSize(upload.totalBytes);
        return { id: known.id, upload };
      }
      const { bytesMax } = deps.modelFileLimits;
      if (!(totalBytes >= 1 && totalBytes <= bytesMax)) throw modelFileFault.badSize(bytesMax);
      const id = settings.id || newId();
      const version = await insertVersion(tx, app, model.key, {
        id,
        statusCode: StatusCode.MODEL_UPLOADING,
        statusDetails: '',
        visibility: model.visibility,
        conceptIds: [],
        license: settings.license,
        description: settings.description,
        body: packVersion(settings),
      });
      if (!version) throw commonFault.duplicateId('model version', id);
      await insertUpload(tx, app, {
        versionKey: version.key,
        modelKey: model.key,
        totalBytes,
        isV3: config.isV3,
      });
      await touchModel(tx, app, model.key);
      mayDie('model-upload-begun');
      return { id, upload: { versionKey: version.key, totalBytes, receivedBytes: 0, isV3: config.isV3 } };
    });
  }

  /** `range_start` is not looked at: clients send where a part begins or where it ends (SEMANTICS trap 16). */
  async function take(
    grant: AppGrant,
    { id, upload }: Open,
    partNumber: number,
    data: Uint8Array,
  ): Promise<Open> {
    const { versionKey, totalBytes } = upload;
    if (data.length === 0) throw modelFileFault.emptyPart();
    const sha = createHash('sha256').update(data).digest();
    const before = await partsOf(db, grant, versionKey);
    if (before.some((one) => one.number === partNumber && one.sha.equals(sha)))
      return { id, upload: (await findUpload(db, grant, versionKey)) ?? upload };
    const objectKey = `${partsFolder}${versionKey}/${randomBytes(8).toString('hex')}`;
    await deps.objects.put(objectKey, data);
    mayDie('model-part-kept');
    const after = await db
      .transaction(async (tx) => {
        const now = await findUpload(tx, grant, versionKey, true);
        if (!now) throw modelFileFault.notUploading(id);
        const kept = await partsOf(tx, grant, versionKey);
        const same = kept.find((one) => one.number === partNumber);
        if (same?.sha.equals(sha)) return now;
        const receivedBytes = now.receivedBytes + data.length;
        if (receivedBytes > totalBytes) throw modelFileFault.tooMuch(totalBytes);
        // Who goes on may count from one again: what is new then comes after what is there.
        const number = same ? (kept.at(-1)?.number ?? 0) + 1 : partNumber;
        await addPart(tx, grant, versionKey, { number, sha, sizeBytes: data.length, objectKey });
        if (receivedBytes === totalBytes) {
          await setUploadStatus(tx, grant, versionKey, { code: StatusCode.MODEL_BUILDING });
          await enqueueBuild(tx, grant, versionKey);
        }
        mayDie('model-part-counted');
        return { ...now, receivedBytes };
      })
      .catch(async (error: unknown) => {
        await deps.objects.delete(objectKey).catch(() => {});
        throw error;
      });
    return { id, upload: after };
  }
}

const remaining = ({ id, upload }: Open) => ({
  modelVersionId: id,
  bytesRemaining: BigInt(upload.totalBytes - upload.receivedBytes),
});

const progress = (open: Open) => {
  const { totalBytes, receivedBytes } = open.upload;
  return {
    ...remaining(open),
    status: {
      ...status(StatusCode.UPLOAD_IN_PROGRESS, `${receivedBytes} of ${totalBytes} bytes are here.`),
      percentCompleted: Math.floor((100 * receivedBytes) / totalBytes),
    },
  };
};

/** Uploads of today end with 21107, older ones with 68001 (SEMANTICS trap 15). */
const building = (open: Open) => ({
  ...remaining(open),
  status: {
    ...status(open.upload.isV3 ? StatusCode.MODEL_BUILDING : StatusCode.UPLOAD_DONE),
    percentCompleted: 100,
  },
});
