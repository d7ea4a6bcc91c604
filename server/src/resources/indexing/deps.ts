import type { AppEmbedders } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { RawReads } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';

export interface IndexingDeps extends Deps {
  readonly objects: ObjectStore;
  readonly engine: Pick<Engine, 'embed'>;
  readonly media: MediaDecoder;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  /** What the app's inputs are embedded with. Handed in because workflows build on indexing. */
  readonly embeddersOf: (db: Db & Partial<RawReads>, grant: AppGrant) => Promise<AppEmbedders>;
  /** Loads an index before searches need it. */
  readonly warmIndex?: (grant: AppGrant, modelVersionKey: number) => Promise<void>;
  /** Runs the other nodes of the base workflow on new inputs and writes what they say as annotations. */
  readonly runBaseWorkflow?: (grant: AppGrant, inputKeys: readonly number[]) => Promise<void>;
}
