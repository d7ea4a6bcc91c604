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
  /** Says nothing about a place or a moment: `data: {}`. */
  readonly wholeInputOnly?: boolean;
  readonly trackId?: string;
  readonly concepts?: readonly ConceptTerm[];
  readonly metadata?: JsonObject;
  readonly geo?: GeoTerm;
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
  | { readonly kind: 'input'; readonly inputId: string };

export type Rank =
  | { readonly kind: 'concepts'; readonly negate: boolean; readonly concepts: readonly ConceptTerm[] }
  | {
      readonly kind: 'similar';
      readonly negate: boolean;
      readonly source: VectorSource;
      readonly modelVersionId: string;
    };

export interface SearchTree {
  readonly filters: readonly Filter[];
  readonly ranks: readonly Rank[];
  readonly language: string;
  /** Hits below this score are dropped, 0..1. */
  readonly minValue: number;
}

export type HitKind = 'input' | 'annotation';

/** Names nothing: such terms constrain nothing (trap 3). */
export const isEmpty = (terms: object): boolean => Object.keys(terms).length === 0;
