import type { AppGrant } from '#domain/grant.ts';
import type { MediaDecoder, Video } from '#engine/media/index.ts';
import type { Fetcher } from '#store/fetcher/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';
import type { MediaLimits } from './input.ts';
import type { AddJobParts } from './translate.ts';

/** What the indexing family computes for a picture before it is committed, opaque to this one. */
export type Indexed = unknown;

/** How far the newest reindexing of an app has come, in inputs. */
export interface ReindexCounts {
  readonly toReindex: number;
  readonly reindexing: number;
  readonly reindexed: number;
  readonly errors: number;
}

/** Makes new pictures findable. Declared here because indexing builds on inputs, not the other way round. */
export interface PictureIndexer {
  /** Computes without writing; undefined keeps the picture out of `store`. `bytes` were decoded before. */
  prepare(grant: AppGrant, bytes: Buffer, signal: AbortSignal): Promise<Indexed | undefined>;
  /** The same of a video that is open, by its frames. */
  prepareVideo(
    grant: AppGrant,
    video: Pick<Video, 'sampled'>,
    signal: AbortSignal,
  ): Promise<Indexed | undefined>;
  /** Writes what was prepared, in the transaction that makes the inputs read as processed. */
  store(tx: Tx, grant: AppGrant, items: readonly { inputKey: number; indexed: Indexed }[]): Promise<void>;
  /** Undefined for an app that was never reindexed. */
  reindexCounts(db: Db, grant: AppGrant): Promise<ReindexCounts | undefined>;
}

/** What becomes of add jobs elsewhere. Declared here because extraction builds on inputs, not the other way round. */
export interface AddJobHooks {
  /** By row key; jobs without any are missing. */
  partsOf(db: Db, grant: AppGrant, addJobKeys: readonly number[]): Promise<ReadonlyMap<number, AddJobParts>>;
  /** Nothing more is to be added for this job. Called before its counts are locked. @returns whether anything would have been */
  onCancelled(tx: Tx, grant: AppGrant, addJobKey: number): Promise<boolean>;
}

/** Archives that hold inputs. Declared here because transfers build on inputs, not the other way round. */
export interface ArchiveHooks {
  /** Inputs are about to be deleted: archives that hold them have to go. Called in the transaction that deletes them. */
  onDelete(tx: Tx, grant: AppGrant, inputKeys: readonly number[]): Promise<void>;
}

export interface InputDeps extends Deps {
  readonly archiveHooks?: ArchiveHooks;
  /** How long dataset versions keep what they hold of deleted inputs. */
  readonly deletedKeptMs: number;
  readonly addJobHooks?: AddJobHooks;
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
