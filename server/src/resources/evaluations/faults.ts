import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const evaluationFault = {
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no evaluation '${id}' in this app.`),
  invalid: (details: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, details),
  unjudged: (modelId: string, typeId: string) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_REQUEST,
      `The model '${modelId}' is of type '${typeId}' and is not judged by labels; classifiers, detectors, segmenters, clusterers and trackers are, where they know any concepts.`,
    ),
  foldsOfWhat: (modelId: string) =>
    new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      `eval_info.params.use_kfold: the model '${modelId}' was not trained here on embeddings, so it cannot be trained anew for each fold.`,
    ),
} as const;

/** Ends an evaluation without figures; the code is one of 21310 to 21317. */
export class EvaluationTrouble extends Error {
  readonly code: StatusCode;
  constructor(code: StatusCode, details: string) {
    super(details);
    this.code = code;
  }
}
