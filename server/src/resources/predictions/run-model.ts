import { clone, create } from '@bufbuild/protobuf';
import {
  type BoundingBox,
  type Data,
  DataSchema,
  ImageSchema,
  RegionSchema,
  TextSchema,
} from '@fovea/contract';
import { cropToBox } from '#engine/crop.ts';
import type { Box } from '#engine/index.ts';
import {
  bodyOfVersion,
  canonicalTypeId,
  inputKindsOf,
  type ModelRow,
  mainApp,
  type VersionRow,
} from '../models/index.ts';
import type { PredictDeps } from './deps.ts';
import { eachOf } from './each-of.ts';
import { predictionFault } from './faults.ts';
import type { Heads } from './heads.ts';
import type { Media } from './media.ts';
import { cropMarginOf, operators } from './operators.ts';
import { limited, type OutputSettings } from './output-config.ts';
import { showPrediction } from './show-prediction.ts';

export interface RunDeps extends PredictDeps {
  readonly heads: Heads;
}

/** A model version that may predict. */
export interface Runnable {
  readonly model: ModelRow;
  readonly version: VersionRow;
}

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
  options: { signal?: AbortSignal; background?: boolean } = {},
): Promise<Data> {
  const { model, version } = runnable;
  if (version.builtin)
    return limited(await runNetwork(deps, runnable, version.builtin, media, settings, options), settings);
  return runOperator(model, version, media, options.signal);
}

async function runNetwork(
  deps: RunDeps,
  { model, version }: Runnable,
  builtin: string,
  media: Media,
  settings: OutputSettings,
  options: { signal?: AbortSignal; background?: boolean },
): Promise<Data> {
  const given = media.data.embeddings[0]?.vector;
  if (version.headSha && given) {
    return showHead(version, await deps.heads.apply(model.id, version.headSha, Float32Array.from(given)));
  }
  if (!media.kinds.includes('image'))
    throw predictionFault.wrongKind(model.typeId, ['an image'], media.kinds.join(', '));
  const bytes = await media.image();
  if (version.headSha) {
    const embedding = await deps.engine.embed(builtin, { bytes }, options);
    return showHead(version, await deps.heads.apply(model.id, version.headSha, embedding));
  }
  const confidenceMin = settings.selected.length > 0 ? settings.valueMinAsked : settings.valueMin;
  return showPrediction(
    await deps.engine.predict(builtin, { bytes }, { ...options, confidenceMin }),
    mainApp,
  );
}

/** The classes of a head are the version's concepts, in order. */
function showHead(version: VersionRow, values: Float32Array): Data {
  const known = bodyOfVersion(version).outputInfo?.data?.concepts ?? [];
  const byId = new Map(known.map((concept) => [concept.id, concept]));
  return create(DataSchema, {
    concepts: version.conceptIds.map((id, index) => {
      const { name = id, appId = '', userId = '' } = byId.get(id) ?? {};
      return { id, name, appId, userId, value: values[index] ?? 0 };
    }),
  });
}

async function runOperator(
  model: ModelRow,
  version: VersionRow,
  media: Media,
  signal: AbortSignal | undefined,
): Promise<Data> {
  const typeId = canonicalTypeId(model.typeId);
  const settings = bodyOfVersion(version).outputInfo;
  if (typeId === 'image-crop') return crop(media, cropMarginOf(settings), signal);
  const operator = operators[typeId];
  if (!operator) throw predictionFault.noNetwork(model.id, model.typeId);
  const wanted = inputKindsOf(typeId);
  const data =
    wanted[0] === 'text' && media.kinds.includes('text')
      ? withText(media.data, await media.text())
      : media.data;
  return operator(data, settings);
}

const withText = (data: Data, raw: string): Data => {
  const shown = clone(DataSchema, data);
  shown.text = create(TextSchema, { raw });
  return shown;
};

/** A box grown about its middle: twice as large for a margin of 2, and never beyond the picture. */
export function widened(box: BoundingBox, margin: number): Box {
  const grow = (from: number, to: number): [number, number] => {
    const half = ((to - from) * margin) / 2;
    const middle = (from + to) / 2;
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  };
  const [top, bottom] = grow(box.topRow, box.bottomRow);
  const [left, right] = grow(box.leftCol, box.rightCol);
  return { top, left, bottom, right };
}

/** Each cut decodes the whole picture. */
const cropsAtOnce = 4;

/** Cuts every region out of the picture; each comes back with an image of its own. */
async function crop(media: Media, margin: number, signal: AbortSignal | undefined): Promise<Data> {
  const bytes = await media.image();
  const regions = await eachOf(media.data.regions, cropsAtOnce, async (region) => {
    signal?.throwIfAborted();
    const box = region.regionInfo?.boundingBox;
    if (!box) return region;
    const shown = clone(RegionSchema, region);
    shown.data ??= create(DataSchema);
    shown.data.image = create(ImageSchema, { base64: await cropToBox(bytes, widened(box, margin)) });
    return shown;
  });
  return create(DataSchema, { regions });
}
