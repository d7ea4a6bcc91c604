import { create, fromBinary } from '@bufbuild/protobuf';
import { type ComputeSourceMetadata, ComputeSourceMetadataSchema, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Page } from '#domain/page.ts';
import type { Deps } from '../common/deps.ts';
import { buildLinesOf } from '../model-files/index.ts';
import { modelFault, readModelAndVersion, trainLinesOf } from '../models/index.ts';
import { logFault } from './faults.ts';
import type { LogSource } from './log-source.ts';
import { countLines, pageOfLines } from './store.ts';

/** The lines of one source, wherever they are kept. */
export interface Lines {
  count(): Promise<number>;
  /** Oldest first. */
  page(page: Page): Promise<{ message: string; meta: ComputeSourceMetadata }[]>;
  /** Whether more may come. */
  isOpen(): Promise<boolean>;
}

/** Of a model's own: while it is one of these, more lines may come. */
const building: readonly number[] = [StatusCode.MODEL_UPLOADING, StatusCode.MODEL_BUILDING];
const training: readonly number[] = [StatusCode.MODEL_QUEUED_FOR_TRAINING, StatusCode.MODEL_TRAINING];

/** @throws Fault where the source is not there, or not named */
export async function openLines({ db }: Deps, call: Call, source: LogSource): Promise<Lines> {
  const { logType, ids } = source;
  const ownLog = logType === 'builder' || logType === 'training';
  if (ownLog && ids.modelId && ids.modelVersionId) {
    const grant = call.app;
    const find = async () => {
      const { model, version } = await readModelAndVersion(db, grant, ids.modelId, ids.modelVersionId);
      if (!version) throw modelFault.missingVersion(ids.modelId, ids.modelVersionId);
      return { model, version };
    };
    const { model, version } = await find();
    const meta = create(ComputeSourceMetadataSchema, {
      userAppId: { userId: grant.userId, appId: grant.appId },
      modelId: model.id,
      modelVersionId: version.id,
    });
    const kept =
      logType === 'builder' ? buildLinesOf(db, grant, version.key) : trainLinesOf(db, grant, version.key);
    return {
      count: kept.count,
      page: async (page) => (await kept.page(page)).map((message) => ({ message, meta })),
      async isOpen() {
        const { statusCode } = (await find()).version;
        return (logType === 'builder' ? building : training).includes(statusCode);
      },
    };
  }
  if (!Object.values(ids).some((id) => id !== '')) throw logFault.nothingNamed();
  return {
    count: () => countLines(db, call.user, source),
    page: async (page) =>
      (await pageOfLines(db, call.user, source, page)).map(({ message, meta }) => ({
        message,
        meta: fromBinary(ComputeSourceMetadataSchema, meta),
      })),
    isOpen: async () => true,
  };
}
