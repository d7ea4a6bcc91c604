import type { Statistics } from './near-store.ts';
import type { AnnotationTerms, ConceptTerm, Filter, InputTerms } from './query.ts';

/**
 * Shares that nothing is counted for, as PostgreSQL too assumes where it knows nothing: rather too small than too
 * large, so that matches are read (which notices its mistake) before an index is walked.
 */
const assumed = {
  metadataKey: 0.05,
  place: 0.05,
  moment: 0.33,
  words: 0.05,
  worker: 0.2,
  marker: 0.1,
  mark: 0.01,
  medium: 0.9,
} as const;

/** The share, 0..1, of an app's inputs that are expected to meet all filters, were they independent of each other. */
export function estimateShare(
  filters: readonly Filter[],
  statistics: Statistics,
  idsOf: (term: ConceptTerm) => readonly string[],
): number {
  const shareOf = (n: number) => (statistics.inputs === 0 ? 0 : clamp(n / statistics.inputs));
  const ofConcept = (term: ConceptTerm) =>
    either(
      idsOf(term).map((id) => {
        const [positive = 0, negative = 0] = statistics.labels[id] ?? [];
        return shareOf(term.value === 0 ? negative : positive);
      }),
    );

  function ofAnnotation(terms: AnnotationTerms): number {
    const one = shareOf(1);
    return all([
      terms.id === undefined && terms.inputId === undefined ? 1 : one,
      terms.concepts ? either(terms.concepts.map(ofConcept)) : 1,
      terms.metadata ? either(Object.keys(terms.metadata).map(() => assumed.metadataKey)) : 1,
      terms.geo ? assumed.place : 1,
      terms.words === undefined ? 1 : assumed.words,
      terms.updated ? assumed.moment : 1,
      terms.clusterIds || terms.trackIds ? assumed.mark : 1,
      terms.kinds || terms.regionKinds || terms.statusCode ? assumed.marker : 1,
      terms.userId || terms.modelVersionId || terms.workflowVersionId || terms.taskId || terms.info
        ? assumed.worker
        : 1,
    ]);
  }

  function ofInput(terms: InputTerms): number {
    const kinds = terms.kinds ? [assumed.medium] : [];
    const status =
      terms.statusCode === undefined ? [] : [shareOf(statistics.statuses[String(terms.statusCode)] ?? 0)];
    return all([
      terms.ids || terms.url ? shareOf(terms.ids?.length ?? 1) : 1,
      kinds.length + status.length > 0 ? either([...kinds, ...status]) : 1,
      terms.datasetIds ? either(terms.datasetIds.map((id) => shareOf(statistics.members[id] ?? 0))) : 1,
    ]);
  }

  return all(
    filters.map(({ negate, annotation, input }) => {
      const share = ofAnnotation(annotation) * ofInput(input);
      return negate ? 1 - share : share;
    }),
  );
}

/** Whether the share is one count and no product of them, or of what is assumed. */
export function isCounted(filters: readonly Filter[]): boolean {
  const [only, ...others] = filters;
  if (!only || others.length > 0 || only.negate) return false;
  const { annotation, input } = only;
  const terms = [...Object.values(annotation), ...Object.values(input)].filter((term) => term !== undefined);
  return (
    terms.length === 1 &&
    (annotation.concepts?.length === 1 || input.datasetIds?.length === 1 || input.statusCode !== undefined)
  );
}

const clamp = (share: number) => Math.min(1, Math.max(0, share));
const all = (shares: readonly number[]) => shares.reduce((product, share) => product * share, 1);
const either = (shares: readonly number[]) => 1 - all(shares.map((share) => 1 - share));
