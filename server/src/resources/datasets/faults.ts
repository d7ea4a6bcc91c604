import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const datasetFault = {
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no dataset '${id}' in this app.`),
  missingInput: (id: string, datasetId: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `The dataset '${datasetId}' does not hold the input '${id}'.`,
    ),
  missingVersion: (id: string, datasetId: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `The dataset '${datasetId}' has no version '${id}'.`,
    ),
  settled: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATASET_VERSION_CONFLICT,
      `What the version '${id}' holds was settled when it was made; make another version for other settings.`,
    ),
} as const;
