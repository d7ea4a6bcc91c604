import type { DatasetVersion } from '@fovea/contract/rest';

/** What to call a version: what somebody said of it, else the beginning of its id. */
export const nameOf = (version: DatasetVersion): string =>
  version.description || (version.id ?? '').slice(0, 12);

/** What versions are made for, as the contract numbers it. */
const byHand = 1;
const predictions = 4;

/** The version to begin with: the newest that a person made, else the newest that is not what a model said. */
export const firstOf = (versions: readonly DatasetVersion[]): DatasetVersion | undefined =>
  versions.find(({ request_origin }) => request_origin === byHand) ??
  versions.find(({ request_origin }) => request_origin !== predictions) ??
  versions[0];
