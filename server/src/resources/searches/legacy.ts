import type { And } from '@fovea/contract';
import type { Filter, Rank, VectorSource } from './query.ts';
import { readConcepts } from './read-concepts.ts';
import { pictureOf, readAnnotationTerms, readInputTerms, trustedTerms } from './read-terms.ts';

/**
 * The deprecated `query.ands`: `input` filters by what trusted annotations say of an input, `annotation` by any
 * annotation, `output` ranks by what models see; its clusters filter. Source: resources.proto And; SEMANTICS 5.15.
 */
export function legacyFilters(ands: readonly And[]): Filter[] {
  return ands.flatMap(({ input, annotation, output, negate }) => {
    const found: Filter[] = [];
    if (input) found.push({ negate, annotation: trustedTerms(input), input: readInputTerms(input) });
    if (annotation) {
      const url = annotation.data?.image?.url;
      found.push({ negate, annotation: readAnnotationTerms(annotation), input: url ? { url } : {} });
    }
    const clusterIds = (output?.data?.clusters ?? []).map(({ id }) => id).filter((id) => id !== '');
    if (clusterIds.length > 0) found.push({ negate, annotation: { clusterIds }, input: {} });
    return found;
  });
}

export const legacyRanks = (ands: readonly And[]): Rank[] =>
  ands.flatMap(({ output, negate }, at) => {
    if (!output) return [];
    const { data, input } = output;
    const sources: VectorSource[] = pictureOf(input?.data?.image);
    if (input?.id) sources.push({ kind: 'input', inputId: input.id, annotationId: '' });
    const similar = sources.map(
      (source): Rank => ({ kind: 'similar', at, negate, source, modelVersionId: '' }),
    );
    if (!data || data.concepts.length === 0) return similar;
    return [...similar, { kind: 'concepts', at, negate, concepts: readConcepts(data.concepts) }];
  });
