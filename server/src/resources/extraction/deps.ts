import type { SourceEndpoints } from '#store/buckets/index.ts';
import type { InputDeps } from '../inputs/index.ts';
import type { UploadDeps } from '../uploads/index.ts';
import type { ArchiveLimits } from './extraction.ts';

export interface ExtractionDeps extends InputDeps, UploadDeps {
  readonly archiveLimits?: Partial<ArchiveLimits>;
  readonly sourceEndpoints?: SourceEndpoints;
}
