import { appPath, call, inApp } from './api.ts';
import { code, type Concept, type Input, type Model, type ModelVersion, type Output } from './wire.ts';

/** Where a model lives, as one word for the address: user/app/model. */
export const keyOf = (model: Model): string => [model.user_id, model.app_id, model.id].map((part) => encodeURIComponent(part ?? '')).join('/');

export const trainable = 'embedding-classifier';

export async function listModels(path: string, what: string): Promise<Model[]> {
  const { models = [] } = await call<{ models?: Model[] }>('GET', `${path}/models?per_page=200`, undefined, { what, quiet: true });
  return models;
}

/** Models of this app, and the platform's own. */
export async function allModels(): Promise<{ own: Model[]; platform: Model[] }> {
  const [own, platform] = await Promise.all([
    listModels(inApp('').slice(0, -1), 'The models of this app could not be listed.'),
    listModels(appPath('clarifai', 'main'), 'The built-in models could not be listed.'),
  ]);
  return { own, platform };
}

/** Makes the model where it is new, and starts the training of a version of it. */
export async function train(parts: { id: string; isNew: boolean; conceptIds: readonly string[]; exclusive: boolean }): Promise<ModelVersion> {
  const what = 'The training could not be started.';
  if (parts.isNew) {
    await call('POST', inApp('models'), { models: [{ id: parts.id, model_type_id: trainable }] }, { what });
  }
  const version = {
    output_info: {
      data: { concepts: parts.conceptIds.map((id) => ({ id })) },
      output_config: { concepts_mutually_exclusive: parts.exclusive },
    },
  };
  const path = inApp(`models/${encodeURIComponent(parts.id)}/versions`);
  const { model } = await call<{ model: Model }>('POST', path, { model_versions: [version] }, { what });
  if (!model.model_version) throw new Error('The reply names no version.');
  return model.model_version;
}

export const isTraining = ({ status }: ModelVersion): boolean =>
  status?.code === code.modelQueued || status?.code === code.modelTraining;
export const isTrained = (model: Model): boolean => model.model_version?.status?.code === code.modelTrained;

export async function readVersion(modelId: string, versionId: string): Promise<ModelVersion> {
  const path = inApp(`models/${encodeURIComponent(modelId)}/versions/${encodeURIComponent(versionId)}`);
  const { model_version: version } = await call<{ model_version: ModelVersion }>('GET', path, undefined, {
    quiet: true,
    what: 'The state of the training could not be read.',
  });
  return version;
}

/** How well a version does on examples that it did not learn from; undefined where nobody measured. */
export async function readMetrics(modelId: string, version: ModelVersion): Promise<Metrics | undefined> {
  const path = inApp(`models/${encodeURIComponent(modelId)}/versions/${encodeURIComponent(version.id)}/metrics?fields.binary_metrics=true`);
  const { model_version: found } = await call<{ model_version?: { metrics?: Metrics } }>('GET', path, undefined, {
    quiet: true,
    what: 'The accuracy could not be read.',
  });
  return found?.metrics?.status?.code === code.evaluated ? found.metrics : undefined;
}

export interface Metrics {
  readonly status?: { readonly code: number };
  readonly summary?: Readonly<Record<string, number | undefined>>;
  readonly binary_metrics?: readonly {
    readonly concept?: Concept;
    readonly num_pos?: number;
    readonly f1?: number;
    readonly roc_auc?: number;
  }[];
}

/** What a model says about one picture: bytes of a file, or a picture of this app. */
export async function predict(model: Model, picture: { base64: string } | { url: string }, signal: AbortSignal): Promise<Output> {
  const path = `${appPath(model.user_id ?? '', model.app_id ?? '')}/models/${encodeURIComponent(model.id)}/outputs`;
  const what = 'The model could not be tried on this picture.';
  const { outputs = [] } = await call<{ outputs?: Output[] }>('POST', path, { inputs: [{ data: { image: picture } }] }, { what, signal });
  const [output] = outputs;
  if (!output) throw new Error('The reply holds no output.');
  return output;
}

/** The original's address, for models that read pictures of this app by themselves. */
export const originalOf = (input: Input): string | undefined => input.data?.image?.url;
