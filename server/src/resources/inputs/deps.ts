import type { AppGrant } from '#domain/grant.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { Fetcher } from '#store/fetcher/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Deps } from '../common/deps.ts';
import type { MediaLimits } from './input.ts';

/** What the indexing family computes for a picture before it is committed, opaque to this one. */
export type Indexed = unknown;

/** Makes new pictures findable. Declared here because indexing builds on inputs, not the other way round. */
export interface PictureIndexer {
  /** Computes without writing; undefined keeps the picture out of `store`. `bytes` were decoded before. */
  prepare(grant: AppGrant, bytes: Buffer, signal: AbortSignal): Promise<Indexed | undefined>;
  /** Writes what was prepared, in the transaction that makes the inputs read as processed. */
  store(tx: Tx, grant: AppGrant, items: readonly { inputKey: number; indexed: Indexed }[]): Promise<void>;
}

export interface InputDeps extends Deps {
  readonly objects: ObjectStore;
  /** The one guarded way to URLs that users give. */
  readonly fetcher: Fetcher;
  /** Decodes videos and sounds. */
  readonly media: MediaDecoder;
  /** Absent: pictures are processed but not indexed. */
  readonly indexer?: PictureIndexer;
  readonly limits?: Partial<MediaLimits>;
  /** Acts as an app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}
