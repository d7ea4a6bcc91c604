import { DataSchema, type Frame } from '@fovea/contract';
import { type FrameObjects, measure, type TrackedFrame } from '#engine/metrics/index.ts';
import { unpackBody } from '../common/translate.ts';
import { type FigureParts, type Figures, named } from './figure.ts';
import { countInputs, inputsFrom } from './store.ts';

const chunk = 50;

/** How well tracks follow their objects, over all videos and for each concept. */
export async function trackingFigures({ db, evaluation, concepts, signal }: FigureParts): Promise<Figures> {
  const videos: { position: number; truth: Frame[]; found: Frame[] }[] = [];
  for (let next = 0; ; ) {
    const inputs = await inputsFrom(db, evaluation, next, chunk, 'answered');
    if (inputs.length === 0) break;
    next = (inputs.at(-1)?.position ?? next) + 1;
    for (const { position, truth, predicted } of inputs)
      videos.push({
        position,
        truth: unpackBody(DataSchema, truth).frames,
        found: unpackBody(DataSchema, predicted ?? Buffer.alloc(0)).frames,
      });
  }
  const figuresFor = (conceptId: string | undefined) => {
    const ids = new Map<string, number>();
    return measure(
      'tracking',
      { frames: videos.flatMap((video) => framesOf(video, conceptId, ids)) },
      signal,
    );
  };
  const all = await figuresFor(undefined);
  const byConcept = [];
  for (const concept of concepts) byConcept.push({ concept, figures: await figuresFor(concept.id) });
  const { total, failed } = await countInputs(db, evaluation);
  return {
    shown: {
      summary: {},
      trackerMetrics: byConcept.map(({ concept, figures }) => ({
        aiid: concept.id,
        motMota: figures.mota,
        motNumSwitches: figures.switches,
        morseFrag: figures.uniqueSwitchRate,
        uniqueSwitchRate: figures.uniqueSwitchRate,
        avgPrecision:
          figures.predictions === 0 ? 0 : (figures.matches + figures.switches) / figures.predictions,
      })),
      labelCounts: {
        positiveLabelCounts: byConcept.map(({ concept, figures }) => ({
          conceptName: concept.name,
          count: figures.objects,
          concept: named(concept),
        })),
      },
    },
    summary: {},
    numbers: { inputs: total - failed, inputs_failed: failed, tracking: all },
  };
}

/** Frames of one video; `ids` numbers the tracks of all videos. */
function framesOf(
  { position, truth, found }: { position: number; truth: readonly Frame[]; found: readonly Frame[] },
  conceptId: string | undefined,
  ids: Map<string, number>,
): TrackedFrame[] {
  const numberOf = (side: string, track: string) => {
    const name = `${position}/${side}/${track}`;
    const number = ids.get(name) ?? ids.size;
    ids.set(name, number);
    return number;
  };
  const objectsOf = (side: string, frame: Frame | undefined): FrameObjects => {
    const regions = (frame?.data?.regions ?? []).filter(
      (region) =>
        region.trackId !== '' &&
        region.regionInfo?.boundingBox &&
        (conceptId === undefined || region.data?.concepts.some(({ id }) => id === conceptId)),
    );
    return {
      ids: Int32Array.from(regions, ({ trackId }) => numberOf(side, trackId)),
      boxes: Float64Array.from(
        regions.flatMap(({ regionInfo }) => {
          const { leftCol = 0, topRow = 0, rightCol = 0, bottomRow = 0 } = regionInfo?.boundingBox ?? {};
          return [leftCol, topRow, rightCol - leftCol, bottomRow - topRow];
        }),
      ),
    };
  };
  return truth.map((frame, at) => ({
    truth: objectsOf('true', frame),
    found: objectsOf('found', found[at]),
  }));
}
