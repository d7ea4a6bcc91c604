import type { WireWriter } from '@fovea/contract';
import type { AppEmbedders, Embedder } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Database, RawReads, RawRow } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import type { ShownAnnotation } from '../annotations/index.ts';
import type { ReadInputs } from '../inputs/index.ts';
import type { VectorCatalog } from '../vector-indexes/index.ts';
import type { FilterKeys } from './filter-keys.ts';
import type { HitKind } from './query.ts';

/** A picture to search by. */
export type Probe = { readonly url: string } | { readonly bytes: Uint8Array };

/** What searches need of other families; `service.ts` hands it over. */
export interface SearchParts {
  readonly db: Database;
  /** Runs what searches read: `db`, or connections with a time limit of their own. */
  readonly reads: Db;
  readonly vectors: VectorCatalog;
  /** Remembers which vectors meet a filter; where there is none, they are read each time. */
  readonly filterKeys?: FilterKeys;
  /** By key of the app, the embedder that its last search looked into. */
  readonly lookedInto?: Map<number, number>;
  /** Longest time that a caller waits for the answer of a search, once it is its turn. */
  readonly searchTimeoutMs: number;
  /** Told how each search of a caller went: how it was planned and upon what, and the milliseconds of its stages. */
  readonly onSearched: (
    way: string,
    stages: ReadonlyMap<string, number>,
    known: { readonly [what in 'share' | 'matches' | 'size' | 'looked']?: number },
  ) => void;
  /** The embedders of the app; none serves where its base workflow makes no embeddings. */
  readonly embeddersOf: (db: Db & Partial<RawReads>, grant: AppGrant) => Promise<AppEmbedders>;
  /** Vector of a picture. @throws Fault when it cannot be fetched or decoded */
  readonly embedImage: (grant: AppGrant, builtin: string, image: Probe) => Promise<Float32Array>;
  /** The hash behind a URL under which this server hosts a medium of the app; undefined for every other URL. */
  readonly hostedAt: (grant: AppGrant, url: string) => Buffer | undefined;
  /** Vector of a text among the pictures of an embedder; undefined where it reads pictures only. */
  readonly embedText: (embedder: Embedder, text: string) => Promise<Float32Array | undefined>;
  readonly findInputs: (
    db: Db,
    grant: AppGrant,
    ids: readonly string[],
  ) => Promise<readonly { key: number; id: string }[]>;
  /** Reads inputs, to be written as what `writer` writes. */
  readonly readInputs: (
    grant: AppGrant,
    inputKeys: readonly number[],
    writer: WireWriter,
    known?: ReadonlyMap<number, RawRow>,
  ) => Promise<ReadInputs>;
  readonly showAnnotations: (
    db: Db,
    grant: AppGrant,
    annotationKeys: readonly number[],
    asOf?: Date,
  ) => Promise<readonly ShownAnnotation[]>;
}

/** The same for the time of one request: a change of the embedder in the middle of it changes nothing for it. */
export function steady(parts: SearchParts): SearchParts {
  let known: ReturnType<SearchParts['embeddersOf']> | undefined;
  return {
    ...parts,
    embeddersOf(db, grant) {
      known ??= parts.embeddersOf(db, grant);
      return known;
    },
  };
}

/** A hit before it is shown. `annotationKey` is set for annotation hits, and for the best-matching one of an input. */
export interface Found {
  readonly inputKey: number;
  readonly inputId: string;
  readonly annotationKey: number | undefined;
  readonly annotationId: string | undefined;
  /** Known of hits by similarity. */
  readonly inputLevel?: boolean;
  /** The moment that the hit is from; undefined is now. */
  readonly asOf?: Date | undefined;
  readonly score: number;
  /** The vector that was nearest, of hits by similarity. */
  readonly embeddingKey?: number;
  /** The input as `readInputs` knows it, where it was read along. */
  readonly inputRow?: RawRow | undefined;
  /** Position of the search that found it, of several. */
  readonly search?: number;
}

export const keyOfHit = (kind: HitKind, hit: Found): number =>
  kind === 'input' ? hit.inputKey : (hit.annotationKey as number);
