import { createHash } from 'node:crypto';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { type Model, ModelSchema, type ModelVersion, ModelVersionSchema } from '@fovea/contract';
import type { BuiltinModel } from '#engine/index.ts';
import { mainApp } from './find.ts';

/** A model of the platform's own app, with the one version it has. */
export interface PlatformModel {
  readonly model: Model;
  readonly version: ModelVersion;
  /** Network of the engine that answers; undefined for operators. */
  readonly builtin: string | undefined;
}

/** Version ids that older clients have written down (SEMANTICS 5.19). */
const knownVersionIds: Readonly<Record<string, string>> = {
  'general-image-recognition': 'aa7f35c01e0642fda5cf400f543e7c40',
  'general-image-embedding': 'bb186755eda04f9cbb6fe32e816be104',
  'face-detection': 'fe995da8cb73490f8556416ecf25cea3',
  'margin-110-image-crop': 'b9987421b40a46649566826ef9325303',
};

/** The same on every server and for ever, so that workflows and scripts may name it. */
const versionIdOf = (modelId: string): string =>
  knownVersionIds[modelId] ?? createHash('sha256').update(`fovea/${modelId}`).digest('hex').slice(0, 32);

const useCasesOf: Readonly<Record<BuiltinModel['outputs'], string>> = {
  concepts: 'image-classification',
  regions: 'image-detection',
  embedding: 'image-embedding',
  colors: 'image-color-recognition',
  text: 'optical-character-recognition',
};

/** What a version is made with, where that is more than nothing. */
const paramsOf: Readonly<Partial<Record<BuiltinModel['outputs'], JsonObject>>> = {
  concepts: { max_concepts: 20, min_value: 0, select_concepts: [] },
  text: { level: 'line' },
};

/** Every built-in network under its id and under each alias, and the operators that come with them. */
export function platformModels(builtins: readonly BuiltinModel[]): PlatformModel[] {
  const networks = builtins.flatMap((builtin) => [
    networkModel(builtin, builtin.id),
    ...builtin.aliases.map((alias) => networkModel(builtin, alias)),
  ]);
  return [...networks, cropper()];
}

function networkModel(builtin: BuiltinModel, id: string): PlatformModel {
  const { card, labels } = builtin;
  return {
    builtin: builtin.id,
    model: create(ModelSchema, {
      id,
      name: builtin.name,
      description: builtin.enabled
        ? builtin.description
        : `${builtin.description} Switched off on this server.`,
      notes: notesOf(builtin),
      modelTypeId: builtin.typeId,
      visibility: { gettable: 50 },
      toolkits: ['ONNX'],
      useCases: [useCasesOf[builtin.outputs]],
      creator: 'fovea',
      licenseType: 2,
      source: 1,
      metadata: { advisory: builtin.advisory, enabled: builtin.enabled },
    }),
    version: create(ModelVersionSchema, {
      id: versionIdOf(builtin.id),
      visibility: { gettable: 50 },
      description: builtin.description,
      license: card.licence,
      metadata: {},
      outputInfo: {
        outputConfig: {},
        params: paramsOf[builtin.outputs] ?? {},
        fieldsMap: {},
        data: {
          concepts: labels.map((label) => ({
            ...label,
            value: 1,
            appId: mainApp.appId,
            userId: mainApp.userId,
          })),
        },
      },
      inputInfo: { params: {}, fieldsMap: { image: 'image' } },
      trainInfo: { params: {} },
    }),
  };
}

const notesOf = ({ card, dims, advisory }: BuiltinModel): string =>
  [
    '## Limits',
    card.limits,
    ...(advisory ? ['Its verdict is a hint for a person and no ground for a decision.'] : []),
    '## Source',
    card.source,
    '## Licence',
    card.licence,
    '## Training data',
    card.data,
    '## Preparation of pictures',
    card.preprocessing,
    ...(dims ? ['## Output', `${dims} numbers, of length one.`] : []),
  ].join('\n\n');

function cropper(): PlatformModel {
  return {
    builtin: undefined,
    model: create(ModelSchema, {
      id: 'margin-110-image-crop',
      name: 'Image crop with a margin of 10 %',
      description: 'Cuts regions out of the picture, each a tenth larger than its box.',
      notes: 'Computed, not learned.',
      modelTypeId: 'image-crop',
      visibility: { gettable: 50 },
      creator: 'fovea',
      licenseType: 2,
      source: 1,
    }),
    version: create(ModelVersionSchema, {
      id: versionIdOf('margin-110-image-crop'),
      visibility: { gettable: 50 },
      metadata: {},
      outputInfo: { outputConfig: {}, params: { margin: 1.1 } },
      inputInfo: { params: {} },
      trainInfo: { params: {} },
    }),
  };
}
