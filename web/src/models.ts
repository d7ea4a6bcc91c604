import { appPath, call, inApp } from './api.ts';
import { count } from './dom.ts';
import { code, type Input, type Model, type ModelVersion, type Output } from './wire.ts';

/** Where a model lives, as one word for the address: user/app/model. */
export const keyOf = (model: Model): string =>
  [model.user_id, model.app_id, model.id].map((part) => encodeURIComponent(part ?? '')).join('/');

export const trainable = 'embedding-classifier';

export async function listModels(path: string, what: string): Promise<Model[]> {
  const { models = [] } = await call<{ models?: Model[] }>('GET', `${path}/models?per_page=200`, undefined, {
    what,
    quiet: true,
  });
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
export async function train(parts: {
  id: string;
  isNew: boolean;
  conceptIds: readonly string[];
  exclusive: boolean;
}): Promise<ModelVersion> {
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

/** How well a version does on examples that it did not learn from. */
export interface Quality {
  /** Averages by their names in the contract, where the server measured them. */
  readonly summary: Readonly<Record<string, number | undefined>>;
  readonly words: string;
}

const heldOutLine = /(\d+) held-out rows: accuracy ([\d.]+)/;

/** From the version's metrics, or else from the log of its training; undefined where nobody measured. */
export async function readQuality({ metrics, train_log: log }: ModelVersion): Promise<Quality | undefined> {
  if (metrics?.status?.code === code.evaluated && metrics.summary) {
    return {
      summary: metrics.summary,
      words: 'Measured on a fifth of the examples, held out from a training of their own.',
    };
  }
  if (!log) return undefined;
  // The log is on this server, whatever address it believes it has.
  const response = await fetch(new URL(log).pathname, { cache: 'no-store' });
  const [, rows, accuracy] = heldOutLine.exec(response.ok ? await response.text() : '') ?? [];
  if (rows === undefined || accuracy === undefined) return undefined;
  const words = `Measured on ${count(Number(rows), 'example')} that were held out.`;
  return { summary: { top1_accuracy: Number(accuracy) }, words };
}

/** What a model's card says of its limits: the part of its notes under that heading. */
export const limitsOf = ({ notes = '' }: Model): string =>
  notes
    .split(/^## /m)
    .find((part) => part.startsWith('Limits'))
    ?.slice('Limits'.length)
    .trim() ?? '';

/** Models that say something to look at, each once although some have a second id, those most asked for first. */
export function worthTrying(models: readonly Model[]): Model[] {
  const byName = new Map<string, Model>();
  for (const model of models) {
    if (!shownTypes.has(model.model_type_id ?? '') || !isTrained(model)) continue;
    const name = model.name || model.id;
    const other = byName.get(name);
    if (!other || secondId.test(other.id)) byName.set(name, model);
  }
  const place = ({ id }: Model) => (favourites.includes(id) ? favourites.indexOf(id) : favourites.length);
  return [...byName.values()].sort(
    (a, b) => Number(isOff(a)) - Number(isOff(b)) || place(a) - place(b) || a.id.localeCompare(b.id),
  );
}

export const isOff = ({ description = '' }: Model): boolean => description.includes('Switched off');

const secondId = /^[0-9a-f]{32}$/;
const favourites = ['general-image-detection', 'general-image-recognition', 'color-recognition'];
const shownTypes: ReadonlySet<string> = new Set([
  'visual-classifier',
  'visual-detector',
  'visual-keypointer',
  'visual-segmenter',
  'image-color-recognizer',
  'embedding-classifier',
  'visual-embedder',
]);

/** What a model says about one picture: bytes of a file, or a picture of this app. */
export async function predict(
  model: Model,
  picture: { base64: string } | { url: string },
  signal: AbortSignal,
): Promise<Output> {
  const path = `${appPath(model.user_id ?? '', model.app_id ?? '')}/models/${encodeURIComponent(model.id)}/outputs`;
  const what = 'The model could not be tried on this picture.';
  const { outputs = [] } = await call<{ outputs?: Output[] }>(
    'POST',
    path,
    { inputs: [{ data: { image: picture } }] },
    { what, signal },
  );
  const [output] = outputs;
  if (!output) throw new Error('The reply holds no output.');
  return output;
}

/** The original's address, for models that read pictures of this app by themselves. */
export const originalOf = (input: Input): string | undefined => input.data?.image?.url;
