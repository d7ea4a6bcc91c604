import { rpc } from '../../api/client.ts';
import type { AppName } from '../../api/queries.ts';
import { code, Trouble, wordsOf } from '../../api/trouble.ts';
import { base64Of } from '../../upload/files.ts';
import { type SamplePicture, sampleConcepts, samplePicture } from './sample-pictures.ts';

const pictures = 120;
const perRequest = 20;
/** The last of them are kept from training, for the evaluation. */
const heldOut = 30;
const modelId = 'what-is-it';

export const steps = ['app', 'pictures', 'boxes', 'datasets', 'training', 'evaluation', 'search'] as const;
export type Step = (typeof steps)[number];

/**
 * An app that is full at once: pictures drawn here, their labels and boxes, two datasets, a classifier with its
 * evaluation, and a saved search. Everything is made through the contract, as a person would make it.
 *
 * @param progress told of every step and how far it is, 0..1
 * @throws Trouble where the server refused; what was made until then stays
 */
export async function makeSample(
  userId: string,
  progress: (step: Step, fraction: number) => void,
): Promise<AppName> {
  const app: AppName = { user_id: userId, app_id: await freeAppId(userId) };
  const user_app_id = app;
  progress('app', 0);
  await rpc('PostApps', {
    user_app_id: { user_id: userId },
    apps: [
      {
        id: app.app_id,
        description: 'A sample: drawn pictures, labels and boxes, a trained model with its evaluation.',
        default_workflow: { id: 'Universal', app_id: 'main', user_id: 'clarifai' },
      },
    ],
  });
  const all = await uploadPictures(app, (fraction) => progress('pictures', fraction));
  for (const [i, some] of chunks(all)) {
    progress('boxes', i / all.length);
    const annotations = some.map(({ id, concept, box }) => ({
      input_id: id,
      data: {
        regions: [
          {
            region_info: {
              bounding_box: {
                top_row: box.top,
                left_col: box.left,
                bottom_row: box.bottom,
                right_col: box.right,
              },
            },
            data: { concepts: [{ id: concept, name: concept, value: 1 }] },
          },
        ],
      },
    }));
    await rpc('PostAnnotations', { user_app_id, annotations });
  }
  progress('datasets', 0);
  await rpc('PostDatasets', { user_app_id, datasets: [{ id: 'train' }, { id: 'test' }] });
  const put = (dataset_id: string, some: readonly SamplePicture[]) =>
    rpc('PostDatasetInputs', {
      user_app_id,
      dataset_id,
      dataset_inputs: some.map(({ id }) => ({ input: { id } })),
    });
  await put('train', all.slice(0, pictures - heldOut));
  await put('test', all.slice(pictures - heldOut));
  const versionId = await train(app, (fraction) => progress('training', fraction));
  await evaluate(app, versionId, (fraction) => progress('evaluation', fraction));
  progress('search', 0);
  await rpc('PostInputsSearches', {
    user_app_id,
    searches: [
      {
        id: 'boats-like-this',
        name: 'Boats like this one',
        save: true,
        query: {
          filters: [{ annotation: { data: { concepts: [{ id: 'boat', value: 1 }] } } }],
          ranks: [{ annotation: { input_id: all.find(({ concept }) => concept === 'boat')?.id ?? '' } }],
        },
      },
    ],
  });
  progress('search', 1);
  return app;
}

async function freeAppId(userId: string): Promise<string> {
  const { apps = [] } = await rpc(
    'ListApps',
    { user_app_id: { user_id: userId }, per_page: 500 },
    { quiet: true },
  );
  const taken = new Set(apps.map(({ id }) => id));
  for (let number = 1; ; number++) {
    const id = number === 1 ? 'sample' : `sample-${number}`;
    if (!taken.has(id)) return id;
  }
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly [number, readonly Item[]]> {
  for (let from = 0; from < items.length; from += perRequest)
    yield [from, items.slice(from, from + perRequest)];
}

async function uploadPictures(app: AppName, progress: (fraction: number) => void): Promise<SamplePicture[]> {
  const made: SamplePicture[] = [];
  for (let from = 0; from < pictures; from += perRequest) {
    const some = await Promise.all(Array.from({ length: perRequest }, (_, i) => samplePicture(from + i)));
    const inputs = await Promise.all(
      some.map(async ({ id, concept, jpeg }) => ({
        id,
        data: {
          image: { base64: await base64Of(jpeg) },
          concepts: [{ id: concept, name: concept, value: 1 }],
          metadata: { filename: `${id}.jpg`, sample: true },
        },
      })),
    );
    await rpc('PostInputs', { user_app_id: app, inputs });
    made.push(...some);
    progress((0.5 * made.length) / pictures);
  }
  for (;;) {
    const { counts = {} } = await rpc('GetInputCount', { user_app_id: app }, { quiet: true });
    const settled = (counts.processed ?? 0) + (counts.errors ?? 0);
    progress(0.5 + (0.5 * settled) / pictures);
    if (settled >= pictures) return made;
    await pause();
  }
}

async function train(app: AppName, progress: (fraction: number) => void): Promise<string> {
  progress(0);
  await rpc('PostModels', {
    user_app_id: app,
    models: [{ id: modelId, name: 'What is it?', model_type_id: 'embedding-classifier' }],
  });
  const { model } = await rpc('PostModelVersions', {
    user_app_id: app,
    model_id: modelId,
    model_versions: [
      {
        output_info: {
          data: { concepts: sampleConcepts.map((id) => ({ id, name: id })) },
          output_config: { concepts_mutually_exclusive: true },
        },
        train_info: { dataset: { id: 'train', ...app } },
      },
    ],
  });
  const versionId = model?.model_version?.id ?? '';
  for (;;) {
    const { model_version } = await rpc(
      'GetModelVersion',
      { user_app_id: app, model_id: modelId, version_id: versionId },
      { quiet: true },
    );
    const status = model_version?.status;
    if (status?.code === code.modelTrained) return versionId;
    if (status?.code !== code.modelTraining && status?.code !== code.modelQueued)
      throw new Trouble(wordsOf(status), { advice: 'advice.change', code: status?.code ?? 0 });
    progress((status.percent_completed ?? 0) / 100);
    await pause();
  }
}

async function evaluate(
  app: AppName,
  versionId: string,
  progress: (fraction: number) => void,
): Promise<void> {
  progress(0);
  const { eval_metrics = [] } = await rpc('PostEvaluations', {
    user_app_id: app,
    eval_metrics: [
      {
        model: { id: modelId, ...app, model_version: { id: versionId } },
        ground_truth_dataset: { id: 'test', ...app },
      },
    ],
  });
  const id = eval_metrics[0]?.id ?? '';
  for (;;) {
    const reply = await rpc('GetEvaluation', { user_app_id: app, evaluation_id: id }, { quiet: true });
    const status = reply.eval_metrics?.status;
    if (status?.code === code.evaluated) return;
    if (status?.code !== 21301 && status?.code !== 21303)
      throw new Trouble(wordsOf(status), { advice: 'advice.change', code: status?.code ?? 0 });
    progress((status.percent_completed ?? 0) / 100);
    await pause();
  }
}

const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 300));
