import { create } from '@bufbuild/protobuf';
import { type InputsExtractionJob, InputsExtractionJobSchema, type StatusCode } from '@fovea/contract';
import { status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import type { JobRow } from './store.ts';
import { showTemplate } from './template.ts';

export function showJob(row: JobRow): InputsExtractionJob {
  const inputTemplate = showTemplate(row.inputTemplate);
  return create(InputsExtractionJobSchema, {
    id: row.id,
    url: row.url,
    status: status(row.statusCode as StatusCode, row.statusDetails),
    progress: {
      audioInputsCount: BigInt(row.audioCount),
      imageInputsCount: BigInt(row.imageCount),
      videoInputsCount: BigInt(row.videoCount),
      textInputsCount: BigInt(row.textCount),
      pendingArchivesCount: BigInt(row.pendingArchives),
      inProgressArchivesCount: BigInt(row.inProgressArchives),
      completedArchivesCount: BigInt(row.completedArchives),
      failedArchivesCount: BigInt(row.failedArchives),
    },
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    inputIdConflictResolution: row.conflictResolution,
    ...(inputTemplate ? { inputTemplate } : {}),
  });
}
