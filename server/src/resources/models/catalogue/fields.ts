import { create, fromJson, type JsonValue } from '@bufbuild/protobuf';
import {
  ModelTypeField_ModelTypeFieldType as FieldType,
  type ModelTypeEnumOption,
  ModelTypeEnumOptionSchema,
  type ModelTypeField,
  ModelTypeFieldSchema,
  ValueSchema,
} from '@fovea/contract';

export { FieldType };

interface Extras {
  /** Left out where the field has no default; clients then show none. */
  readonly defaultValue?: JsonValue;
  readonly required?: boolean;
  readonly range?: readonly [min: number, max: number, step: number];
  readonly options?: readonly ModelTypeEnumOption[];
}

/**
 * One setting of a model type.
 *
 * NOTE: official clients split the path at dots and read its second part, and delete the placeholder without
 * looking, so a path has two parts or more and a placeholder is never empty.
 */
export function field(
  path: string,
  fieldType: FieldType,
  placeholder: string,
  description: string,
  extras: Extras = {},
): ModelTypeField {
  const { defaultValue, required = false, range, options = [] } = extras;
  return create(ModelTypeFieldSchema, {
    path,
    fieldType,
    placeholder,
    description,
    required,
    ...(defaultValue === undefined ? {} : { defaultValue: fromJson(ValueSchema, defaultValue) }),
    ...(range ? { modelTypeRangeInfo: { min: range[0], max: range[1], step: range[2] } } : {}),
    modelTypeEnumOptions: [...options],
  });
}

const train = (name: string) => `train_info.params.${name}`;

export const trainNumber = (name: string, value: number, description: string, range?: Extras['range']) =>
  field(train(name), range ? FieldType.RANGE : FieldType.NUMBER, String(value), description, {
    defaultValue: value,
    ...(range ? { range } : {}),
  });

export const trainText = (name: string, value: string, description: string) =>
  field(train(name), FieldType.STRING, name, description, { defaultValue: value });

export const trainFlag = (name: string, value: boolean, description: string) =>
  field(train(name), FieldType.BOOLEAN, name, description, { defaultValue: value });

export const trainJson = (name: string, value: JsonValue, description: string) =>
  field(train(name), FieldType.JSON, name, description, { defaultValue: value });

export const trainNumbers = (name: string, value: number[], description: string) =>
  field(train(name), FieldType.ARRAY_OF_NUMBERS, name, description, { defaultValue: value });

export const trainCode = (name: string, value: string, description: string) =>
  field(train(name), FieldType.PYTHON_CODE, name, description, { defaultValue: value });

export const trainChoice = (name: string, value: string, choices: readonly string[], description: string) =>
  field(train(name), FieldType.ENUM, name, description, {
    defaultValue: value,
    options: choices.map((id) => create(ModelTypeEnumOptionSchema, { id })),
  });

/** The choice of a template, each with settings of its own. */
export const templates = (options: readonly ModelTypeEnumOption[]) =>
  field(train('template'), FieldType.RECURSIVE_ENUM, 'template', 'Recipe that the model is trained by.', {
    required: true,
    options,
  });

export const template = (
  id: string,
  description: string,
  modelTypeFields: readonly ModelTypeField[],
  recommended = false,
) =>
  create(ModelTypeEnumOptionSchema, { id, description, modelTypeFields: [...modelTypeFields], recommended });

const output = (name: string) => `output_info.params.${name}`;

export const outputNumber = (name: string, value: number, description: string, range?: Extras['range']) =>
  field(output(name), range ? FieldType.RANGE : FieldType.NUMBER, String(value), description, {
    defaultValue: value,
    ...(range ? { range } : {}),
  });

export const outputText = (name: string, value: string, description: string, required = false) =>
  field(output(name), FieldType.STRING, name, description, { defaultValue: value, required });

export const outputFlag = (name: string, value: boolean, description: string) =>
  field(output(name), FieldType.BOOLEAN, name, description, { defaultValue: value });

export const outputChoice = (name: string, value: string, choices: readonly string[], description: string) =>
  field(output(name), FieldType.ENUM, name, description, {
    defaultValue: value,
    options: choices.map((id) => create(ModelTypeEnumOptionSchema, { id })),
  });

/** Settings that many types share. */
export const shared = {
  dataset: () =>
    field(
      'train_info.dataset',
      FieldType.DATASET,
      'dataset',
      'Dataset to train on; empty means every labelled input of the app.',
    ),
  datasetVersion: () =>
    field(
      'train_info.dataset.version',
      FieldType.DATASET_VERSION,
      'dataset version',
      'Version of the dataset to train on.',
    ),
  concepts: () =>
    field(
      'output_info.data.concepts',
      FieldType.ARRAY_OF_CONCEPTS,
      'concepts',
      'Concepts that the model tells apart.',
      {
        required: true,
      },
    ),
  thresholds: () =>
    field(
      'output_info.data.concepts',
      FieldType.ARRAY_OF_CONCEPTS_WITH_THRESHOLD,
      'concepts',
      'Concepts and their thresholds.',
      {
        required: true,
      },
    ),
  exclusive: () =>
    field(
      'output_info.output_config.concepts_mutually_exclusive',
      FieldType.BOOLEAN,
      'concepts_mutually_exclusive',
      'Whether an input shows exactly one of the concepts.',
      { defaultValue: false },
    ),
  embedModel: () =>
    field(
      'input_info.params.base_embed_model',
      FieldType.WORKFLOW_EMBED_MODELS,
      'base_embed_model',
      'Model whose embeddings are learned from; empty means the embedder of the base workflow.',
      { defaultValue: null },
    ),
  tolerance: () =>
    trainNumber(
      'invalid_data_tolerance_percent',
      5,
      'Share of unusable inputs, in percent, above which training stops.',
      [0, 100, 1],
    ),
  maxConcepts: () => outputNumber('max_concepts', 20, 'Most concepts in a prediction.', [0, 1000, 1]),
  minValue: () => outputNumber('min_value', 0, 'Concepts below this value are left out.', [0, 1, 0.01]),
  selectConcepts: () =>
    field(
      'output_info.params.select_concepts',
      FieldType.ARRAY_OF_MODEL_CONCEPTS,
      'select_concepts',
      'Only these concepts are predicted.',
      {
        defaultValue: [],
      },
    ),
} as const;
