import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const predictionFault = {
  noInputs: () =>
    new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, 'inputs is empty; send 1 to 128 inputs.'),
  emptyInput: () =>
    new Fault(
      'bad_request',
      StatusCode.INPUT_INVALID_ARGUMENT,
      'The input has neither data nor the id of an input of this app.',
    ),
  noSuchInput: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no input '${id}' in this app.`),
  wrongKind: (typeId: string, wanted: readonly string[], found: string) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `A model of type '${typeId}' takes ${wanted.join(' or ')}, and this input holds ${found}.`,
    ),
  nothingSelected: (names: readonly string[]) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `select_concepts: the model knows none of ${names.join(', ')}. Ids and names are compared exactly.`,
    ),
  notText: () =>
    new Fault(
      'bad_request',
      StatusCode.ALL_INPUT_INVALID_BYTES,
      'The bytes are no text in any encoding that this server knows; UTF-8 is best.',
    ),
  tooManyFrames: (wanted: number, framesMax: number) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `sample_ms asks for ${wanted} frames of this video; at most ${framesMax} are looked at. Ask for a larger sample_ms.`,
    ),
  noNetwork: (id: string, typeId: string) =>
    new Fault(
      'not_implemented',
      StatusCode.NOT_IMPLEMENTED,
      `The model '${id}' of type '${typeId}' has no network on this server.`,
    ),
  wrongLength: (wanted: number, found: number) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `The model was trained on embeddings of ${wanted} numbers, and this one has ${found}.`,
    ),
  badPattern: (reason: string) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `output_info.params.regex cannot be used: ${reason}.`,
    ),
  badTemplate: (missing: readonly string[]) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `output_info.params.prompt_template lacks ${missing.join(' and ')}.`,
    ),
  badParam: (name: string, wanted: string) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `output_info.params.${name} must be ${wanted}.`,
    ),
  tooManyTiles: (most: number) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_INVALID_ARGUMENT,
      `The picture makes more than ${most} tiles; set larger tile_width and tile_height, or a smaller max_object_size.`,
    ),
  needsApp: (typeId: string) =>
    new Fault(
      'not_implemented',
      StatusCode.NOT_IMPLEMENTED,
      `A model of type '${typeId}' looks things up in an app, and cannot do so here.`,
    ),
  damagedHead: (id: string, cause: unknown) =>
    new Fault(
      'internal',
      StatusCode.MODEL_PREDICTION_FAILED,
      'The trained part of the model could not be read.',
      {
        log: `head of model ${id} unreadable`,
        cause,
      },
    ),
  badUrl: (details: string) => new Fault('bad_request', StatusCode.INPUT_INVALID_URL, details),
  /** Official clients accept 30002 for URLs that deliver nothing. */
  notDelivered: (details: string, cause: unknown) =>
    new Fault('bad_request', StatusCode.INPUT_FAILED, `The download failed: ${details} Check the URL.`, {
      cause,
    }),
  unreachable: (details: string, cause: unknown) =>
    new Fault('bad_request', StatusCode.INPUT_CONNECTION_FAILED, details, { cause }),
  tooLarge: (details: string) => new Fault('too_large', StatusCode.INPUT_OVER_LIMIT, details),
  noSuchPlace: (what: string, id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `runner_selector: there is no ${what} '${id}' on this server.`,
    ),
} as const;
