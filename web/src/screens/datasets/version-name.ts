import type { DatasetVersion } from '@fovea/contract/rest';

/** What to call a version: what somebody said of it, else the beginning of its id. */
export const nameOf = (version: DatasetVersion): string =>
  version.description || (version.id ?? '').slice(0, 12);
