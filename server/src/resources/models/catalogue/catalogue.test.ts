import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { type ModelTypeField, ModelTypeSchema, MultiModelTypeResponseSchema } from '@fovea/contract';
import { describe, expect, test } from 'vitest';
import { pageSizeDefault } from '#domain/page.ts';
import { findModelType, modelTypes, typeIdsWith } from './index.ts';

const trainable = modelTypes.filter((type) => type.trainable);
const templateField = (id: string) =>
  findModelType(id)?.modelTypeFields.find((field) => field.path === 'train_info.params.template');
/** All fields that an official client goes through, those of templates included. */
const fieldsOf = (id: string): ModelTypeField[] =>
  (findModelType(id)?.modelTypeFields ?? []).flatMap((field) => [
    field,
    ...field.modelTypeEnumOptions.flatMap((option) => option.modelTypeFields),
  ]);

test('all types fit into one default page, because clients ask for one alone', () => {
  expect(modelTypes.length).toBeLessThan(pageSizeDefault);
  expect(new Set(modelTypes.map((type) => type.id)).size).toBe(modelTypes.length);
});

test('every type that clients may train is there', () => {
  expect(trainable.map((type) => type.id)).toEqual(
    expect.arrayContaining([
      'visual-classifier',
      'visual-detector',
      'visual-segmenter',
      'visual-embedder',
      'clusterer',
      'text-classifier',
      'embedding-classifier',
      'text-to-text',
    ]),
  );
});

describe.each(trainable.map((type) => type.id))('%s, as the official clients read it,', (id) => {
  test('has paths of two parts or more, and a placeholder everywhere', () => {
    for (const field of fieldsOf(id)) {
      expect(field.path.split('.').length, field.path).toBeGreaterThanOrEqual(2);
      expect(field.placeholder, field.path).not.toBe('');
      expect(['train_info', 'input_info', 'output_info', 'eval_info'], field.path).toContain(
        field.path.split('.')[0],
      );
    }
  });

  test('has a default for every field of output_config', () => {
    for (const field of fieldsOf(id)) {
      if (field.path.startsWith('output_info.output_config.'))
        expect(field.defaultValue, field.path).toBeDefined();
    }
  });

  test('has templates with at least one setting each, and none of them switched off', () => {
    for (const option of templateField(id)?.modelTypeEnumOptions ?? []) {
      expect(option.modelTypeFields.length, option.id).toBeGreaterThan(0);
      expect(option.internalOnly).toBe(false);
    }
  });

  test('says what goes in and what comes out', () => {
    const type = findModelType(id);
    expect(type?.inputFields[0]).toBeTruthy();
    expect(type?.outputFields[0]).toBeTruthy();
    expect(type?.modelTypeFields.length).toBeGreaterThan(0);
  });
});

test('visual-classifier has eleven templates, and the free one names its base and its epochs', () => {
  const options = templateField('visual-classifier')?.modelTypeEnumOptions ?? [];
  expect(options.length).toBeGreaterThanOrEqual(11);
  const free = options
    .find((option) => option.id === 'MMClassification')
    ?.modelTypeFields.find((field) => field.path.endsWith('.custom_config'));
  expect(free?.defaultValue?.kind.value).toContain('_base_');
  expect(free?.defaultValue?.kind.value).toContain('max_epochs');
});

test.each([
  [
    'visual-classifier',
    'MMClassification_EfficientNet',
    {
      image_size: 336,
      batch_size: 4,
      num_epochs: 30,
      per_item_lrate: 0.000390625,
      seed: -1,
      flip_direction: 'horizontal',
    },
  ],
  [
    'visual-classifier',
    'Clarifai_ResNext',
    {
      logreg: 1,
      image_size: 256,
      batch_size: 64,
      init_epochs: 25,
      step_epochs: 7,
      num_epochs: 65,
      per_item_lrate: 7.8125e-5,
      num_items_per_epoch: 0,
    },
  ],
  [
    'visual-segmenter',
    'MMSegmentation_SegFormer',
    { image_size: [520], batch_size: 2, num_epochs: 1, per_item_lrate: 7.5e-6, pretrained_weights: 'ade20k' },
  ],
])('%s with %s shows the defaults that were observed', (typeId, templateId, expected) => {
  const option = templateField(typeId)?.modelTypeEnumOptions.find((one) => one.id === templateId);
  const shown = toJson(
    ModelTypeSchema,
    create(ModelTypeSchema, { modelTypeFields: option?.modelTypeFields ?? [] }),
  ) as {
    modelTypeFields: { path: string; defaultValue: unknown }[];
  };
  const defaults = Object.fromEntries(
    shown.modelTypeFields.map((field) => [field.path.split('.').at(-1), field.defaultValue]),
  );
  expect(defaults).toMatchObject(expected);
});

test('types are found by what they take and make', () => {
  expect(typeIdsWith(['image'], ['concepts'])).toContain('visual-classifier');
  expect(typeIdsWith(['image'], ['concepts'])).not.toContain('visual-embedder');
  expect(typeIdsWith(['image', 'text'], ['embeddings'])).toEqual(['multimodal-embedder']);
  expect(typeIdsWith([], ['regions[...].region_info.bounding_box'])).toContain('visual-detector');
});

test('the whole catalogue travels', () => {
  const reply = create(MultiModelTypeResponseSchema, { modelTypes: [...modelTypes] });
  expect(toBinary(MultiModelTypeResponseSchema, reply).length).toBeGreaterThan(1000);
});
