import type { ModelType } from '@fovea/contract';
import { untrainedTypes } from './operators.ts';
import { trainableTypes, trainedHere } from './trainable.ts';

export { trainedHere };

/** Every model type, the trainable ones first. All fit into one default page, because clients ask for one alone. */
export const modelTypes: readonly ModelType[] = [...trainableTypes, ...untrainedTypes];

const byId = new Map(modelTypes.map((type) => [type.id, type]));

/** Other spellings that are seen in the wild (SEMANTICS 8: the ids of some operators are uncertain). */
const aliases: Readonly<Record<string, string>> = {
  'region-thresholder': 'region-threshold',
  'concept-thresholder': 'concept-threshold',
  'random-sampler': 'random-sample',
  'image-cropper': 'image-crop',
  'text-aggregator': 'text-aggregation-operator',
  'kalman-filter-hungarian-tracker': 'kalman-filter-tracker',
  'neural-tracker': 'byte-tracker',
  'annotation-writer-operator': 'annotation-writer',
  'synonym-mapper': 'concept-synonym-mapper',
};

/** The type with this id or alias. Ids that nobody published are undefined: models may still carry them. */
export const findModelType = (id: string): ModelType | undefined => byId.get(aliases[id] ?? id);

export const canonicalTypeId = (id: string): string => aliases[id] ?? id;

const fieldsMatch = (has: readonly string[], wanted: readonly string[]) =>
  wanted.every((name) =>
    has.some((field) => field.split(',').includes(name) || field === name || field.startsWith(`${name}[`)),
  );

/** Ids (aliases included) of the types with all these input and output fields. */
export function typeIdsWith(inputFields: readonly string[], outputFields: readonly string[]): string[] {
  const fits = modelTypes.filter(
    (type) => fieldsMatch(type.inputFields, inputFields) && fieldsMatch(type.outputFields, outputFields),
  );
  const ids = new Set(fits.map((type) => type.id));
  return [...ids, ...Object.keys(aliases).filter((alias) => ids.has(aliases[alias] as string))];
}
