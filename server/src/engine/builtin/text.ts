import type { ModelRun, PredictedRegion, Prediction } from './prediction.ts';

const lineValueMin = 0.4;

/**
 * Text with its places: lines, or single words where `level` says so. Lines are what searches by several words and
 * operators on text want.
 */
export async function readText(run: ModelRun): Promise<Prediction> {
  const lines = await run.readText();
  const valueMin = run.options.confidenceMin ?? lineValueMin;
  const found = run.options.params?.['level'] === 'word' ? lines.flatMap(({ words }) => words) : lines;
  return {
    regions: found
      .filter(({ value }) => value >= valueMin)
      .map(({ box, value, text }): PredictedRegion => ({ box, value, text, concepts: [] })),
  };
}
