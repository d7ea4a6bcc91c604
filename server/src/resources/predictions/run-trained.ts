import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { newId } from '#domain/ids.ts';
import { type FoundThing, greyPng, gridOf, type KindMap, maskPng, type PatchBank } from '#engine/index.ts';
import {
  type Clusters,
  type MetricFit,
  placeIn,
  project,
  type TwoLayerNet,
  textFeatures,
} from '#engine/training/index.ts';
import { bodyOfVersion, canonicalTypeId, type ModelRow, type VersionRow } from '../models/index.ts';
import type { RunDeps } from './deps.ts';
import { predictionFault } from './faults.ts';
import type { Media } from './media.ts';
import type { OutputSettings } from './output-config.ts';
import type { RunModelOptions } from './runnable.ts';

/** A version that was trained here, and what it is asked. */
export interface TrainedCall {
  readonly deps: RunDeps;
  readonly model: ModelRow;
  readonly version: VersionRow;
  /** SHA-256 of the trained part. */
  readonly sha: Buffer;
  readonly media: Media;
  readonly settings: OutputSettings;
  readonly options: Pick<RunModelOptions, 'signal' | 'background' | 'isAdmitted'>;
}

/** Weaker finds are left out unless asked for. */
const confidenceUsual = 0.25;
const confidenceFloor = 0.01;

/** How a version of each type answers; all others are linear heads on embeddings. */
const runners: Readonly<Record<string, (call: TrainedCall) => Promise<Data>>> = {
  'visual-detector': detect,
  'visual-segmenter': segment,
  'visual-anomaly-heatmap': findAnomalies,
  'visual-embedder': embed,
  clusterer: cluster,
  'text-classifier': classifyText,
};

export function runTrained(call: TrainedCall): Promise<Data> {
  const run = runners[canonicalTypeId(call.model.typeId)] ?? classify;
  return run(call);
}

async function pictureOf({ media, model }: TrainedCall): Promise<Buffer> {
  if (!media.kinds.includes('image'))
    throw predictionFault.wrongKind(model.typeId, ['an image'], media.kinds.join(', '));
  return media.image();
}

/** The embedding that came along, or that of the picture. */
async function vectorOf(call: TrainedCall): Promise<Float32Array> {
  const given = call.media.data.embeddings[0]?.vector;
  if (given) return Float32Array.from(given);
  const bytes = await pictureOf(call);
  return call.deps.engine.embed(call.version.builtin as string, { bytes }, call.options);
}

async function classify(call: TrainedCall): Promise<Data> {
  const values = await call.deps.heads.apply(call.model.id, call.sha, await vectorOf(call));
  return create(DataSchema, { concepts: withValues(call.version, [...values]) });
}

async function classifyText(call: TrainedCall): Promise<Data> {
  const { deps, model, media, sha, version } = call;
  if (!media.kinds.includes('text'))
    throw predictionFault.wrongKind(model.typeId, ['a text'], media.kinds.join(', '));
  const values = await deps.heads.apply(model.id, sha, textFeatures(await media.text()));
  return create(DataSchema, { concepts: withValues(version, [...values]) });
}

async function embed(call: TrainedCall): Promise<Data> {
  const { arrays } = await call.deps.heads.part(call.model.id, call.sha, 'embedder');
  const given = await vectorOf(call);
  const map = arrays as unknown as MetricFit;
  if (given.length !== map.mean.length) throw predictionFault.wrongLength(map.mean.length, given.length);
  const vector = project(map, given);
  return create(DataSchema, { embeddings: [{ vector: [...vector], numDimensions: vector.length }] });
}

async function cluster(call: TrainedCall): Promise<Data> {
  const { arrays, facts } = await call.deps.heads.part(call.model.id, call.sha, 'clusters');
  const clusters = { ...arrays, ...facts } as unknown as Clusters;
  const vector = await vectorOf(call);
  if (vector.length !== clusters.dims) throw predictionFault.wrongLength(clusters.dims, vector.length);
  const { id, projection } = placeIn(clusters, vector);
  return create(DataSchema, { clusters: [{ id, projection }] });
}

async function detect(call: TrainedCall): Promise<Data> {
  const { deps, model, version, sha, settings, options } = call;
  const { arrays } = await deps.heads.part(model.id, sha, 'detector');
  const bytes = await pictureOf(call);
  const asked =
    settings.selected.length > 0 ? (settings.valueMinAsked ?? 0) : (settings.valueMin ?? confidenceUsual);
  const found = await deps.engine.dense<FoundThing[]>(
    { bytes },
    'cells-8',
    {
      kind: 'things',
      id: sha.toString('hex'),
      net: arrays as unknown as TwoLayerNet,
      confidenceMin: Math.max(confidenceFloor, asked),
    },
    options,
  );
  return create(DataSchema, {
    regions: found.map(({ box, label, score }) => ({
      id: newId(),
      value: score,
      regionInfo: {
        boundingBox: { topRow: box.top, leftCol: box.left, bottomRow: box.bottom, rightCol: box.right },
      },
      data: { concepts: [conceptWith(version, label, score)] },
    })),
  });
}

/** A region with a mask for each concept that is there; its value is the share of the picture that it covers. */
async function segment(call: TrainedCall): Promise<Data> {
  const { deps, model, version, sha, options } = call;
  const { arrays } = await deps.heads.part(model.id, sha, 'segmenter');
  const bytes = await pictureOf(call);
  const map = await deps.engine.dense<KindMap>(
    { bytes },
    'cells-4',
    { kind: 'kinds', id: sha.toString('hex'), net: arrays as unknown as TwoLayerNet },
    options,
  );
  const present = [...version.conceptIds.keys()].filter((index) => (map.shares[index + 1] ?? 0) > 0);
  const regions = await Promise.all(
    present.map(async (index) => {
      const share = map.shares[index + 1] as number;
      return {
        id: newId(),
        value: share,
        regionInfo: { mask: { image: { base64: await maskPng(map.kinds, index + 1, map) } } },
        data: { concepts: [conceptWith(version, index, share)] },
      };
    }),
  );
  return create(DataSchema, { regions });
}

async function findAnomalies(call: TrainedCall): Promise<Data> {
  const { deps, model, version, sha, options } = call;
  const { arrays, facts } = await deps.heads.part(model.id, sha, 'anomalies');
  const { width, middle, spread } = facts as { width: number; middle: number; spread: number };
  const bytes = await pictureOf(call);
  const scores = await deps.engine.dense<Float32Array>(
    { bytes },
    'patches',
    { kind: 'unusual', id: sha.toString('hex'), bank: { ...arrays, width } as unknown as PatchBank },
    options,
  );
  // Three spreads above the oddest spots of usual pictures is as likely an anomaly as not. The curve never quite
  // reaches 1, so that very odd pictures can still be told apart.
  const oddness = (score: number) => {
    const spreads = Math.max(0, (score - middle) / spread);
    return spreads ** 2 / (spreads ** 2 + 9);
  };
  const grid = gridOf.patches;
  const heat = await greyPng(
    Uint8Array.from(scores, (score) => Math.round(255 * oddness(score))),
    { width: grid, height: grid },
    { width: 8 * grid, height: 8 * grid },
  );
  const oddest = scores.reduce((a, b) => Math.max(a, b), 0);
  return create(DataSchema, {
    heatmaps: [{ base64: heat }],
    concepts: [conceptWith(version, 0, oddness(oddest))],
  });
}

/** The classes of a part are the version's concepts, in order. */
function withValues(version: VersionRow, values: readonly number[]) {
  const known = bodyOfVersion(version).outputInfo?.data?.concepts ?? [];
  const byId = new Map(known.map((concept) => [concept.id, concept]));
  return version.conceptIds.map((id, index) => {
    const { name = id, appId = '', userId = '' } = byId.get(id) ?? {};
    return { id, name, appId, userId, value: values[index] ?? 0 };
  });
}

function conceptWith(version: VersionRow, index: number, value: number) {
  const id = version.conceptIds[index] ?? '';
  const known = bodyOfVersion(version).outputInfo?.data?.concepts.find((concept) => concept.id === id);
  return { id, name: known?.name ?? id, appId: known?.appId ?? '', userId: known?.userId ?? '', value };
}
