import { clone, create } from '@bufbuild/protobuf';
import { type Data, DataSchema, TextSchema } from '@fovea/contract';
import { packagePrefix } from '#engine/index.ts';
import { bodyOfVersion, canonicalTypeId, inputKindsOf, mainApp } from '../models/index.ts';
import { backendData } from './backends/answer.ts';
import { backendMark } from './backends/backend.ts';
import type { RunDeps } from './deps.ts';
import { predictionFault } from './faults.ts';
import { eachFrame, showFrame } from './frames.ts';
import type { Media } from './media.ts';
import { operators } from './operators/index.ts';
import { limited, type OutputSettings } from './output-config.ts';
import { runTrained } from './run-trained.ts';
import type { RunModelOptions, Runnable } from './runnable.ts';
import { showEmbedding, showPrediction } from './show-prediction.ts';

export type { RunModelOptions, Runnable } from './runnable.ts';

/**
 * Runs one model version on one input, and cuts the result down to the settings.
 *
 * @throws Fault 21202 for content the model does not take · 10040 where no network stands behind it · faults of
 *   the image (3xxxx) and of the network (213xx)
 */
export async function predictWith(
  deps: RunDeps,
  runnable: Runnable,
  media: Media,
  settings: OutputSettings,
  options: RunModelOptions = {},
): Promise<Data> {
  const { version } = runnable;
  if (media.kinds.includes('video') && !media.kinds.includes('image') && looksAtPictures(runnable))
    return predictFrames(deps, runnable, media, settings, options);
  if (version.builtin === backendMark) return backendData(deps, runnable, media, options);
  if (version.builtin)
    return limited(await runNetwork(deps, runnable, version.builtin, media, settings, options), settings);
  return runOperator(deps, runnable, media, options);
}

/** Whether the model is shown the frames of a video one by one. */
const looksAtPictures = ({ model, version }: Runnable): boolean =>
  version.builtin !== null || inputKindsOf(canonicalTypeId(model.typeId))[0] === 'image';

async function predictFrames(
  deps: RunDeps,
  runnable: Runnable,
  media: Media,
  settings: OutputSettings,
  options: RunModelOptions,
): Promise<Data> {
  const { signal = new AbortController().signal, grant } = options;
  let isAdmitted = options.isAdmitted ?? false;
  const frames = await eachFrame(
    deps,
    media,
    { signal, grant, sampleMs: settings.sampleMs },
    async (frame, moment) => {
      const data = await predictWith(deps, runnable, frame, settings, { ...options, isAdmitted });
      isAdmitted = true;
      return showFrame(moment, data);
    },
  );
  return create(DataSchema, { frames });
}

async function runNetwork(
  deps: RunDeps,
  { model, version }: Runnable,
  builtin: string,
  media: Media,
  settings: OutputSettings,
  options: RunModelOptions,
): Promise<Data> {
  const sha = version.headSha;
  if (sha) return runTrained({ deps, model, version, sha, media, settings, options });
  const isPackage = builtin.startsWith(packagePrefix);
  if (isPackage && !media.kinds.includes('image') && media.kinds.includes('text'))
    return create(DataSchema, {
      embeddings: showEmbedding(await deps.engine.embedText(builtin, await media.text(), options)),
    });
  if (!media.kinds.includes('image'))
    throw predictionFault.wrongKind(model.typeId, ['an image'], media.kinds.join(', '));
  const bytes = await media.image();
  const confidenceMin = settings.selected.length > 0 ? settings.valueMinAsked : settings.valueMin;
  return showPrediction(
    await deps.engine.predict(
      builtin,
      { bytes },
      {
        ...options,
        confidenceMin,
        params: { ...bodyOfVersion(version).outputInfo?.params, ...options.params },
      },
    ),
    isPackage ? model : mainApp,
  );
}

async function runOperator(
  deps: RunDeps,
  { model, version }: Runnable,
  media: Media,
  { signal, grant }: RunModelOptions,
): Promise<Data> {
  const typeId = canonicalTypeId(model.typeId);
  const operator = operators[typeId];
  if (!operator) throw predictionFault.noNetwork(model.id, model.typeId);
  const wanted = inputKindsOf(typeId);
  const data =
    wanted[0] === 'text' && media.kinds.includes('text')
      ? withText(media.data, await media.text())
      : media.data;
  return operator({ data, settings: bodyOfVersion(version).outputInfo, media, deps, grant, signal });
}

const withText = (data: Data, raw: string): Data => {
  const shown = clone(DataSchema, data);
  shown.text = create(TextSchema, { raw });
  return shown;
};
