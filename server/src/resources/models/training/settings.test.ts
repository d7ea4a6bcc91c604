import { create } from '@bufbuild/protobuf';
import { ModelVersionSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { readTrainingSettings } from './settings.ts';

const read = (params: Record<string, unknown>) =>
  readTrainingSettings(create(ModelVersionSchema, { trainInfo: { params: params as never } }));

test.each([
  ['plain', { seed: 7, enrich_dataset: 'Disabled', dataset_id: 'd', base_embed_model: null }],
  [
    'as messages, as the Node client sends defaults back',
    {
      seed: { numberValue: 7 },
      enrich_dataset: { stringValue: 'Disabled' },
      dataset_id: { stringValue: 'd' },
      base_embed_model: { nullValue: 0 },
    },
  ],
])('parameters may come %s', (_how, params) => {
  expect(read(params)).toMatchObject({ seed: 7, enrich: false, datasetId: 'd', embedder: undefined });
});

test('a dataset says which app it is in', () => {
  const dataset = { id: 'd', appId: 'elsewhere' };
  const settings = readTrainingSettings(create(ModelVersionSchema, { trainInfo: { dataset } }));
  expect(settings).toMatchObject({ datasetId: 'd', datasetAppId: 'elsewhere' });
});

test('left out, parameters have their defaults, and any seed is the same seed', () => {
  expect(read({})).toMatchObject({
    seed: 1,
    enrich: true,
    exclusive: false,
    tolerancePercent: 5,
    classWeights: 'none',
  });
  expect(read({ seed: -1 }).seed).toBe(1);
});

test.each([
  [{ base_embed_model: 'm' }, { id: 'm', versionId: '' }],
  [{ base_embed_model: { model_id: 'm', model_version_id: 'v' } }, { id: 'm', versionId: 'v' }],
  [{ base_embed_model: { id: 'm', model_version: { id: 'v' } } }, { id: 'm', versionId: 'v' }],
])('an embedder is named as %j', (params, embedder) => {
  expect(read(params).embedder).toMatchObject(embedder);
});

test('a parameter of the wrong kind is named', () => {
  expect(() => read({ seed: 'many' })).toThrow('train_info.params.seed');
});
