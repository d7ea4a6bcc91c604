import { type Data, DataSchema, type Region } from '@fovea/contract';
import { measure } from '#engine/metrics/index.ts';
import { unpackBody } from '../../common/translate.ts';
import type { SampleRow } from './store.ts';
import type { TemplateKind } from './templates.ts';
import { isSameText, wordF1 } from './text-figures.ts';

export interface Figure {
  readonly id: string;
  readonly value: number;
  readonly byConcept?: Readonly<Record<string, number>>;
}

/** What can be said of one sample by itself. */
export function sampleFigures(kind: TemplateKind, truth: Data, said: Data): Figure[] {
  switch (kind) {
    case 'classification': {
      const surest = [...said.concepts].sort((a, b) => b.value - a.value)[0];
      const isRight = truth.concepts.some(({ id, value }) => id === surest?.id && value >= 0.5);
      return [{ id: 'accuracy', value: isRight ? 1 : 0 }];
    }
    case 'text': {
      const [ours, theirs] = [said.text?.raw ?? '', truth.text?.raw ?? ''];
      return [
        { id: 'exact_match', value: isSameText(ours, theirs) ? 1 : 0 },
        { id: 'word_f1', value: wordF1(ours, theirs) },
      ];
    }
    // Average precision is a matter of all pictures together.
    case 'detection':
      return [];
  }
}

/** The figures of a template over all samples that have an answer. */
export async function figuresOfSamples(
  kind: TemplateKind,
  samples: readonly SampleRow[],
  signal: AbortSignal,
): Promise<Figure[]> {
  const pairs = samples.map((sample) => ({
    sample,
    truth: unpackBody(DataSchema, sample.truth),
    said: unpackBody(DataSchema, sample.predicted ?? Buffer.alloc(0)),
  }));
  switch (kind) {
    case 'classification':
      return classification(pairs, signal);
    case 'detection':
      return detection(pairs, signal);
    case 'text': {
      const each = pairs.map(({ truth, said }) => sampleFigures('text', truth, said));
      return ['exact_match', 'word_f1'].map((id, at) => ({
        id,
        value: mean(each.map((figures) => figures[at]?.value ?? 0)),
      }));
    }
  }
}

interface Pair {
  readonly sample: SampleRow;
  readonly truth: Data;
  readonly said: Data;
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

async function classification(pairs: readonly Pair[], signal: AbortSignal): Promise<Figure[]> {
  const conceptIds = [...new Set(pairs.flatMap(({ truth }) => truth.concepts.map(({ id }) => id)))].sort();
  const probabilities = new Float32Array(pairs.length * conceptIds.length);
  const truths = new Int8Array(pairs.length * conceptIds.length);
  pairs.forEach(({ truth, said }, row) => {
    conceptIds.forEach((id, c) => {
      const at = row * conceptIds.length + c;
      const value = said.concepts.find((concept) => concept.id === id)?.value ?? 0;
      probabilities[at] = Math.min(1, Math.max(0, value));
      truths[at] = truth.concepts.some((concept) => concept.id === id && concept.value >= 0.5) ? 1 : 0;
    });
  });
  if (conceptIds.length === 0) return [];
  const found = await measure('classification', { conceptIds, probabilities, truth: truths }, signal);
  const by = (of: 'precision' | 'recall' | 'f1' | 'rocAuc') =>
    Object.fromEntries(found.binaryMetrics.map((one) => [one.conceptId, one[of]]));
  const { summary } = found;
  const accuracy = mean(
    pairs.map(({ truth, said }) => sampleFigures('classification', truth, said)[0]?.value ?? 0),
  );
  return [
    { id: 'accuracy', value: accuracy },
    { id: 'macro_avg_precision', value: summary.macroAvgPrecision, byConcept: by('precision') },
    { id: 'macro_avg_recall', value: summary.macroAvgRecall, byConcept: by('recall') },
    { id: 'macro_avg_f1', value: summary.macroAvgF1Score, byConcept: by('f1') },
    { id: 'macro_avg_roc_auc', value: summary.macroAvgRocAuc, byConcept: by('rocAuc') },
  ];
}

async function detection(pairs: readonly Pair[], signal: AbortSignal): Promise<Figure[]> {
  const conceptIds = [
    ...new Set(pairs.flatMap(({ truth }) => truth.regions.flatMap((region) => idsOf(region)))),
  ].sort();
  const objectsOf = (which: 'truth' | 'said') =>
    pairs.flatMap((pair, image) =>
      pair[which].regions.flatMap((region) => {
        const box = region.regionInfo?.boundingBox;
        const { width, height } = pair.sample;
        return (region.data?.concepts ?? []).flatMap(({ id, value }) => {
          const classIndex = conceptIds.indexOf(id);
          if (!box || classIndex < 0) return [];
          const [left, top] = [box.leftCol * width, box.topRow * height];
          return [
            {
              image,
              classIndex,
              value,
              box: [left, top, box.rightCol * width - left, box.bottomRow * height - top],
            },
          ];
        });
      }),
    );
  const columns = (objects: ReturnType<typeof objectsOf>) => ({
    image: Int32Array.from(objects, ({ image }) => image),
    classIndex: Int32Array.from(objects, ({ classIndex }) => classIndex),
    boxes: Float64Array.from(objects.flatMap(({ box }) => box)),
  });
  const found = objectsOf('said');
  const metrics = await measure(
    'detection',
    {
      classes: conceptIds.length,
      truth: columns(objectsOf('truth')),
      found: { ...columns(found), scores: Float64Array.from(found, ({ value }) => value) },
    },
    signal,
  );
  const whole = metrics.byClass.filter(({ area, numPos }) => area === 'all' && numPos > 0);
  const by = (of: 'ap' | 'ap50') =>
    Object.fromEntries(whole.map((one) => [conceptIds[one.classIndex] ?? '', one[of]]));
  return [
    { id: 'mean_avg_precision_iou_50', value: Math.max(0, metrics.summary.ap50), byConcept: by('ap50') },
    { id: 'mean_avg_precision_iou_range', value: Math.max(0, metrics.summary.ap), byConcept: by('ap') },
  ];
}

const idsOf = (region: Region): string[] => (region.data?.concepts ?? []).map(({ id }) => id);
