import type { AppGrant } from '#domain/grant.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Deps } from '../common/deps.ts';
import type { UploadLimits } from './upload.ts';

export interface UploadDeps extends Deps {
  readonly objects: ObjectStore;
  readonly uploadLimits?: Partial<UploadLimits>;
  /** Acts as an app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  /** Whoever waits for an upload goes on, in the transaction that completes it. */
  readonly onDone?: (tx: Tx, grant: AppGrant, uploadKey: number) => Promise<void>;
  /** Whoever needs these uploads will not get them; `why` finishes the sentence "The upload …". */
  readonly onGone?: (tx: Tx, grant: AppGrant, uploadKeys: readonly number[], why: string) => Promise<void>;
}
