import type { AppGrant } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Deps } from '../common/deps.ts';

export interface ModelFileLimits {
  /** Largest upload, and most that an archive may unpack to, in bytes. */
  readonly bytesMax: number;
}

export interface ModelFileDeps extends Deps {
  readonly engine: Pick<Engine, 'inspectPackage' | 'builtins'>;
  readonly objects: ObjectStore;
  /** Scratch folder of its own. */
  readonly workDir: string;
  readonly modelFileLimits: ModelFileLimits;
  /** Acts as an app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}
