import type { And, Query } from '@fovea/contract';
import { searchFault } from './faults.ts';
import { type AnnotationTerms, type Filter, isEmpty, type Rank, type SearchTree } from './query.ts';
import { readAnnotationTerms, readInputTerms, readQuery } from './read-query.ts';

/**
 * The deprecated `query.ands`: `input` filters by what people said of an input, `output` ranks by what models see,
 * `annotation` filters by any annotation. Source: resources.proto And; SEMANTICS 5.15.
 */
export function readLegacyQuery(query: Query | undefined): SearchTree {
  const modern = readQuery(query);
  const filters: Filter[] = [];
  const ranks: Rank[] = [];
  for (const and of query?.ands ?? []) {
    filters.push(...filtersOf(and));
    ranks.push(...ranksOf(and));
  }
  return { ...modern, filters: [...modern.filters, ...filters], ranks: [...modern.ranks, ...ranks] };
}

function filtersOf(and: And): Filter[] {
  const found: Filter[] = [];
  if (and.input) {
    // Over the trusted annotations only, and over the whole-input facts that they state.
    const said: AnnotationTerms = readAnnotationTerms({ data: dataOf(and.input.data) } as never);
    const { wholeInputOnly: _, ...annotation } = said;
    const input = readInputTerms(and.input);
    found.push({
      negate: and.negate,
      annotation: isEmpty(annotation) ? {} : { ...annotation, trustedOnly: true },
      input,
    });
  }
  if (and.annotation)
    found.push({ negate: and.negate, annotation: readAnnotationTerms(and.annotation), input: {} });
  return found.filter((filter) => !isEmpty(filter.annotation) || !isEmpty(filter.input));
}

/** Media of `input.data` are told by readInputTerms; the annotation terms look at the rest. */
const dataOf = (data: NonNullable<And['input']>['data']) => data && { ...data, text: undefined };

function ranksOf({ output, negate }: And): Rank[] {
  if (!output) return [];
  const ranks: Rank[] = [];
  if (output.data && output.data.clusters.length > 0) throw searchFault.unsupported('clusters');
  if (output.data && output.data.concepts.length > 0) {
    ranks.push({
      kind: 'concepts',
      negate,
      concepts: output.data.concepts.map(({ id, name, value }) => ({ id, name, value })),
    });
  }
  const image = output.input?.data?.image;
  const modelVersionId = '';
  if (image?.url)
    ranks.push({ kind: 'similar', negate, source: { kind: 'image_url', url: image.url }, modelVersionId });
  else if (image && image.base64.length > 0) {
    ranks.push({
      kind: 'similar',
      negate,
      source: { kind: 'image_bytes', bytes: image.base64 },
      modelVersionId,
    });
  }
  if (output.input?.id)
    ranks.push({
      kind: 'similar',
      negate,
      source: { kind: 'input', inputId: output.input.id },
      modelVersionId,
    });
  return ranks;
}
