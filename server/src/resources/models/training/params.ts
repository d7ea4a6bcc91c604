import { type ModelTypeField, type ModelVersion, StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { canonicalTypeId, findModelType } from '../catalogue/index.ts';

/** What trainings take besides the fields of their type: where the data is, and what this server adds. */
const always = [
  'dataset_id',
  'dataset_version_id',
  'template',
  'concepts_mutually_exclusive',
  'base_embed_model',
  'seed',
];

const lastPart = (path: string): string => path.split('.').at(-1) as string;
const choicesOf = ({ modelTypeEnumOptions }: ModelTypeField): string[] =>
  modelTypeEnumOptions.map(({ id }) => id);
const isTraining = ({ path }: ModelTypeField): boolean => /^(train_info|input_info)\.params\./.test(path);

/** Names that `train_info.params` may hold for a type: those of all its templates, as clients change from one to another. */
function knownNames(fields: readonly ModelTypeField[]): string[] {
  const own = fields.filter(isTraining);
  const nested = own.flatMap((field) => field.modelTypeEnumOptions.flatMap((one) => one.modelTypeFields));
  return [...new Set([...own, ...nested].map(({ path }) => lastPart(path)))];
}

/**
 * Refuses a training with parameters that nothing reads, or with a word that is no choice of its parameter: the default
 * would be taken without a word.
 * Official clients send the names of the type's fields and the dataset's, nothing else.
 *
 * @throws Fault 21118 naming the parameter and those or the choices that there are
 */
export function checkTrainingParams(typeId: string, version: ModelVersion): void {
  const params: Record<string, unknown> = version.trainInfo?.params ?? {};
  const fields = findModelType(canonicalTypeId(typeId))?.modelTypeFields;
  if (!fields) return;
  const known = new Set([...always, ...knownNames(fields)]);
  const unknown = Object.keys(params).filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw invalid(
      `train_info.params: models of type '${typeId}' have no parameter ${unknown.map((name) => `'${name}'`).join(', ')}. There are ${[...known].sort().join(', ')}.`,
    );
  for (const [name, value] of Object.entries(params)) {
    if (typeof value !== 'string' || value === '') continue;
    const choices = fields
      .filter((field) => isTraining(field) && lastPart(field.path) === name)
      .flatMap(choicesOf);
    if (choices.length > 0 && !choices.some((choice) => choice.toLowerCase() === value.toLowerCase()))
      throw invalid(`train_info.params.${name} is one of ${choices.join(', ')}, not '${value}'.`);
    if (choices.length === 0 && name === 'template')
      throw invalid(`train_info.params.template: models of type '${typeId}' have no templates.`);
  }
}

const invalid = (details: string): Fault =>
  new Fault('bad_request', StatusCode.MODEL_TRAINING_INVALID_PARAMS, details);
