import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const modelFault = {
  /** Official clients compare the description of this code when they make a workflow (SEMANTICS 1.6). */
  missing: (id: string) =>
    new Fault('not_found', StatusCode.MODEL_DOES_NOT_EXIST, `There is no model '${id}' in this app.`),
  missingVersion: (id: string, versionId: string) =>
    new Fault(
      'not_found',
      StatusCode.MODEL_DOES_NOT_EXIST,
      `The model '${id}' has no version '${versionId}'.`,
    ),
  moved: (oldId: string, newId: string) =>
    new Fault('moved', StatusCode.MOVED, `The model '${oldId}' is now called '${newId}'.`, {
      moved: { collection: 'models', to: newId },
    }),
  /** Where the contract asks for the general code: deleting what is not there. */
  gone: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no model '${id}' in this app.`),
  noSuchType: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no model type '${id}'.`),
  invalid: (details: string) => new Fault('bad_request', StatusCode.MODEL_INVALID_REQUEST, details),
  untrainable: (typeId: string) =>
    new Fault(
      'not_implemented',
      StatusCode.NOT_IMPLEMENTED,
      `Models of type '${typeId}' are trained on a graphics card by a trainer of their own, which this server does not have. ` +
        'Train elsewhere and bring the model, or send pretrained_model_config for one that is ready.',
    ),
  untrained: (id: string, code: StatusCode) =>
    new Fault(
      'bad_request',
      code,
      `The model '${id}' has no trained version yet; post a version to train it and wait for status 21100.`,
    ),
} as const;
