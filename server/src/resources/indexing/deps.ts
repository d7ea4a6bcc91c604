import type { AppGrant } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';

/** The embedder of an app's base workflow: which vectors count, and the built-in model that makes them. */
export interface BaseEmbedder {
  readonly modelVersionKey: number;
  readonly builtin: string;
}

export interface IndexingDeps extends Deps {
  readonly objects: ObjectStore;
  readonly engine: Pick<Engine, 'embed'>;
  readonly media: MediaDecoder;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  /** Undefined for an app that indexes nothing. Declared here because workflows build on indexing. */
  readonly baseEmbedderOf: (db: Db, grant: AppGrant) => Promise<BaseEmbedder | undefined>;
  /** Runs the other nodes of the base workflow on new inputs and writes what they say as annotations. */
  readonly runBaseWorkflow?: (grant: AppGrant, inputKeys: readonly number[]) => Promise<void>;
}
