import type {
  Annotation,
  Input,
  Query,
  Search,
  TimeRange,
  Filter as WireFilter,
  Rank as WireRank,
} from '@fovea/contract';
import { readTime } from '../common/translate.ts';
import { searchFault } from './faults.ts';
import { legacyFilters, legacyRanks } from './legacy.ts';
import {
  type AnnotationTerms,
  type Filter,
  isEmpty,
  type Rank,
  type SearchTree,
  type TimeTerm,
  type VectorSource,
} from './query.ts';
import { readConcepts } from './read-concepts.ts';
import { pictureOf, readAnnotationTerms, readInputTerms, readWords, trustedTerms } from './read-terms.ts';

const filtersMax = 100;
const ranksMax = 20;
/** All terms of a search together: each costs a look-up for every hit. */
const termsMax = 2_000;

/** What `algorithm` may say; anything else is searched exactly (SEMANTICS 8). */
const nearestNeighbor = 'nearest_neighbor';
const averageConcept = 'avg_concept_brute_force';

/** Reads one search into a tree. @throws Fault 40002 naming the field that does not fit */
export function readSearch(search: Search): SearchTree {
  const asOf = search.asOf && readTime(search.asOf, 'as_of');
  if (asOf && asOf > new Date()) throw searchFault.future();
  const { minValue, algorithm } = search;
  if (!(minValue >= 0 && minValue <= 1))
    throw searchFault.invalid(`min_value is ${minValue}; it goes from 0 to 1.`);
  const tree = readQuery(search.query);
  return {
    ...tree,
    ranks: algorithm === averageConcept ? tree.ranks.map(asSimilarity) : tree.ranks,
    minValue,
    asOf,
    exact: algorithm !== '' && algorithm !== nearestNeighbor,
  };
}

/** Reads filters and ranks, and the deprecated `ands` among them. */
export function readQuery(query: Query | undefined): SearchTree {
  const { filters = [], ranks = [], ands = [] } = query ?? {};
  if (filters.length + ands.length > filtersMax)
    throw searchFault.tooMany('query.filters', filters.length + ands.length, filtersMax);
  if (ranks.length > ranksMax) throw searchFault.tooMany('query.ranks', ranks.length, ranksMax);
  const tree: SearchTree = {
    filters: [...filters.map(readFilter), ...legacyFilters(ands)].filter(constrains),
    ranks: [...ranks.flatMap(readRank), ...legacyRanks(ands)],
    language: query?.language ?? '',
    minValue: 0,
    exact: false,
    asOf: undefined,
  };
  const terms = termsIn(tree);
  if (terms > termsMax)
    throw searchFault.tooMany('The filters and ranks of a query together', terms, termsMax);
  return tree;
}

const constrains = ({ annotation, input }: Filter) => !isEmpty(annotation) || !isEmpty(input);

const termsIn = ({ filters, ranks }: SearchTree): number =>
  filters.reduce(
    (sum, { annotation: { concepts, metadata, clusterIds, trackIds } }) =>
      sum +
      1 +
      Object.keys(metadata ?? {}).length +
      [concepts, clusterIds, trackIds].reduce((terms, asked) => terms + (asked?.length ?? 0), 0),
    0,
  ) + ranks.reduce((sum, rank) => sum + 1 + (rank.kind === 'concepts' ? rank.concepts.length : 0), 0);

/** `avg_concept_brute_force`: a concept is looked for by what its examples look like. */
const asSimilarity = (rank: Rank): Rank =>
  rank.kind === 'concepts'
    ? {
        kind: 'similar',
        at: rank.at,
        negate: rank.negate,
        modelVersionId: '',
        source: { kind: 'labelled', concepts: rank.concepts },
      }
    : rank;

function readFilter(wire: WireFilter): Filter {
  const updated = readRange(wire.lastUpdatedTimeRange);
  return {
    negate: wire.negate,
    annotation: {
      ...readAnnotationTerms(wire.annotation),
      ...saidOfInput(wire.input, wire.annotation),
      ...(updated ? { updated } : {}),
    },
    input: readInputTerms(wire.input),
  };
}

/**
 * Labels, metadata, places and words inside `input.data` mean what trusted annotations say of the input, as in the
 * deprecated form; where the annotation of the same filter asks too, that is the one meant.
 */
function saidOfInput(input: Input | undefined, annotation: Annotation | undefined): AnnotationTerms {
  const said = trustedTerms(input);
  if (!isEmpty(said) && annotation?.data)
    throw searchFault.invalid('A filter asks by annotation.data and by input.data at once; use two filters.');
  return said;
}

function readRange(range: TimeRange | undefined): TimeTerm | undefined {
  const from = range?.startTime && readTime(range.startTime, 'last_updated_time_range.start_time');
  const until = range?.endTime && readTime(range.endTime, 'last_updated_time_range.end_time');
  if (from && until && from > until)
    throw searchFault.invalid('last_updated_time_range.start_time lies after its end_time.');
  return from || until ? { from, until } : undefined;
}

/** A rank message may hold concepts and a picture at once: each becomes a rank. Empty messages rank nothing. */
function readRank(wire: WireRank, at: number): Rank[] {
  const { annotation, negate } = wire;
  if (!annotation) return [];
  const { data } = annotation;
  const sources: VectorSource[] = [];
  for (const { vector } of data?.embeddings ?? [])
    if (vector.length > 0) sources.push({ kind: 'vector', vector: readVector(vector) });
  sources.push(...pictureOf(data?.image));
  const { id: annotationId, inputId } = annotation;
  if (inputId) sources.push({ kind: 'input', inputId, annotationId });
  const modelVersionId = annotation.modelVersionId || annotation.embedModelVersionId;
  const ranks = sources.map((source): Rank => ({ kind: 'similar', at, negate, source, modelVersionId }));
  if (data?.text?.raw)
    ranks.push({ kind: 'words', at, negate, words: readWords(data.text.raw), modelVersionId });
  if (data && data.concepts.length > 0)
    ranks.push({ kind: 'concepts', at, negate, concepts: readConcepts(data.concepts) });
  return ranks;
}

function readVector(numbers: readonly number[]): Float32Array {
  const vector = Float32Array.from(numbers);
  if (vector.some((x) => !Number.isFinite(x)) || vector.every((x) => x === 0)) throw searchFault.badVector();
  return vector;
}
