import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { commonFault } from '../common/faults.ts';

export const extractionFault = {
  missing: (id: string) => commonFault.missing('inputs extraction job', id),
  invalid: (details: string) => commonFault.invalid(details),
  noSuchDataset: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `input_template.dataset_ids: there is no dataset '${id}' in this app.`,
    ),
  jobExists: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.JOB_CONFLICT,
      `An inputs add job with the id '${id}' exists already; choose another, or none.`,
    ),
} as const;
