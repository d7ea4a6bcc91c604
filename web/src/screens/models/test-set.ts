import type { Concept, EvalTestSetEntry } from '@fovea/contract/rest';

/** A label of the ground truth that says that the concept is there. */
export const isActual = (concept: Concept): boolean => (concept.value ?? 0) > 0.5;

export const predictedValue = (concept: Concept): number => concept.value ?? 0;

const has = (entry: EvalTestSetEntry, conceptId: string): boolean =>
  (entry.ground_truth_concepts ?? []).some((concept) => concept.id === conceptId && isActual(concept));

const scoreOf = (entry: EvalTestSetEntry, conceptId: string): number =>
  predictedValue((entry.predicted_concepts ?? []).find(({ id }) => id === conceptId) ?? {});

/** What is said first of an entry. */
export const bestOf = (entry: EvalTestSetEntry): string | undefined =>
  (entry.predicted_concepts ?? []).reduce<Concept | undefined>(
    (best, concept) =>
      best === undefined || predictedValue(concept) > predictedValue(best) ? concept : best,
    undefined,
  )?.id;

/** Whether what is said first is there. */
export const isRight = (entry: EvalTestSetEntry): boolean => has(entry, bestOf(entry) ?? '');

/** Inputs of a test set by what a threshold makes of one concept. */
export function countsAt(entries: readonly EvalTestSetEntry[], conceptId: string, threshold: number) {
  const counts = {
    truePositives: [] as EvalTestSetEntry[],
    falsePositives: [] as EvalTestSetEntry[],
    falseNegatives: [] as EvalTestSetEntry[],
  };
  for (const entry of entries) {
    const isPredicted = scoreOf(entry, conceptId) >= threshold;
    if (has(entry, conceptId)) counts[isPredicted ? 'truePositives' : 'falseNegatives'].push(entry);
    else if (isPredicted) counts.falsePositives.push(entry);
  }
  return counts;
}

/** Inputs that have one concept and for which another was predicted first. */
export const entriesOfCell = (
  entries: readonly EvalTestSetEntry[],
  actual: string,
  predicted: string,
): EvalTestSetEntry[] => entries.filter((entry) => has(entry, actual) && bestOf(entry) === predicted);
