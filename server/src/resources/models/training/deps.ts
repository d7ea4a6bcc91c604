import type { Embedder } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../../common/deps.ts';

/** What training needs of others; the families that come later are passed in. */
export interface TrainingDeps extends Deps {
  readonly engine: Pick<Engine, 'embed' | 'dense'>;
  readonly objects: ObjectStore;
  /** Vectors of large trainings lie here while they last. */
  readonly trainingWorkDir: string;
  /** Acts as an app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  /** A grant on the platform's own app. */
  readonly mainGrant: () => Promise<AppGrant | undefined>;
  /** Original bytes of an input. @throws Fault when they are missing */
  readonly readImageBytes: (grant: AppGrant, inputKey: number) => Promise<Buffer>;
  readonly baseEmbedderOf: (db: Db, grant: AppGrant) => Promise<Embedder | undefined>;
}
