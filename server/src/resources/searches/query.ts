import type { JsonObject } from '@bufbuild/protobuf';

/** A concept asked for: by id, or by name where there is no id. `value` 0 asks for its absence. */
export interface ConceptTerm {
  readonly id: string;
  readonly name: string;
  readonly value: number;
}

/** Degrees north and east. */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** In a box `west` may be greater than `east`: then it goes across the antimeridian. */
export type GeoTerm =
  | { readonly kind: 'circle'; readonly centre: Place; readonly radiusKm: number }
  | {
      readonly kind: 'box';
      readonly south: number;
      readonly north: number;
      readonly west: number;
      readonly east: number;
    };

export interface TimeTerm {
  readonly from: Date | undefined;
  readonly until: Date | undefined;
}

/** What one annotation must be. Members are ANDed; what a member lists is ORed (SEMANTICS 5.15). */
export interface AnnotationTerms {
  readonly id?: string;
  readonly inputId?: string;
  readonly userId?: string;
  readonly modelVersionId?: string;
  readonly workflowVersionId?: string;
  readonly taskId?: string;
  readonly statusCode?: number;
  readonly inputLevelOnly?: boolean;
  readonly trustedOnly?: boolean;
  readonly info?: JsonObject;
  /** Holds all of these kinds (domain/annotation-kinds.ts). */
  readonly kinds?: number;
  /** Holds one of these kinds of regions; an annotation has one region at most. */
  readonly regionKinds?: number;
  /** Says nothing about a place or a moment: `data: {}`. */
  readonly wholeInputOnly?: boolean;
  readonly trackIds?: readonly string[];
  readonly clusterIds?: readonly string[];
  readonly concepts?: readonly ConceptTerm[];
  readonly metadata?: JsonObject;
  readonly geo?: GeoTerm;
  /** Words that its text holds, as people type them into a search box. */
  readonly words?: string;
  readonly updated?: TimeTerm;
}

/** What an input must be. `kinds` and `statusCode` are ORed with each other (SEMANTICS 5.15), the rest ANDed. */
export interface InputTerms {
  readonly ids?: readonly string[];
  readonly url?: string;
  readonly kinds?: readonly string[];
  readonly statusCode?: number;
  readonly datasetIds?: readonly string[];
}

export interface Filter {
  readonly negate: boolean;
  readonly annotation: AnnotationTerms;
  readonly input: InputTerms;
}

/** Where the vector of a similarity rank comes from. */
export type VectorSource =
  | { readonly kind: 'vector'; readonly vector: Float32Array }
  | { readonly kind: 'image_url'; readonly url: string }
  | { readonly kind: 'image_bytes'; readonly bytes: Uint8Array }
  /** The stored vector of an input, or of one of its regions where an annotation is named. */
  | { readonly kind: 'input'; readonly inputId: string; readonly annotationId: string }
  /** What inputs with these labels have in common: the mean of their vectors. */
  | { readonly kind: 'labelled'; readonly concepts: readonly ConceptTerm[] };

interface RankOrigin {
  /** Position in `query.ranks` (or `ands`), from 0. */
  readonly at: number;
  readonly negate: boolean;
}

export type Rank = RankOrigin & RankTerms;

type RankTerms =
  | { readonly kind: 'concepts'; readonly concepts: readonly ConceptTerm[] }
  | {
      readonly kind: 'words';
      readonly words: string;
      /** Embedder that is to read the text; '' leaves it to the app. */
      readonly modelVersionId: string;
    }
  | {
      readonly kind: 'similar';
      readonly source: VectorSource;
      readonly modelVersionId: string;
    };

export type ConceptRank = Extract<Rank, { kind: 'concepts' }>;
export type WordRank = Extract<Rank, { kind: 'words' }>;
export type SimilarRank = Extract<Rank, { kind: 'similar' }>;
/** Ranks that the database can score by itself. */
export type SaidRank = ConceptRank | WordRank;

export const isSimilar = (rank: Rank): rank is SimilarRank => rank.kind === 'similar';
export const isSaid = (rank: Rank): rank is SaidRank => rank.kind !== 'similar';

export interface SearchTree {
  readonly filters: readonly Filter[];
  readonly ranks: readonly Rank[];
  /** Of names of concepts and of texts; '' is the app's. */
  readonly language: string;
  /** Hits below this score are dropped, 0..1. */
  readonly minValue: number;
  /** Every vector is looked at: the answer does not depend on an approximate index. */
  readonly exact: boolean;
  /** The moment whose state is asked for; undefined is now. */
  readonly asOf: Date | undefined;
}

export type HitKind = 'input' | 'annotation';

/** Names nothing: such terms constrain nothing (trap 3). */
export const isEmpty = (terms: object): boolean => Object.keys(terms).length === 0;

/** All concepts that a tree names, in filters and ranks. */
export const conceptsAsked = ({ filters, ranks }: SearchTree): ConceptTerm[] => [
  ...filters.flatMap(({ annotation }) => annotation.concepts ?? []),
  ...ranks.flatMap((rank) => {
    if (rank.kind === 'concepts') return rank.concepts;
    return rank.kind === 'similar' && rank.source.kind === 'labelled' ? rank.source.concepts : [];
  }),
];
