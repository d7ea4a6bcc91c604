import type { Input } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import type { Fetcher } from '#store/fetcher/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Deps } from '../common/deps.ts';

/** An input of an app with its original bytes: what predictions on existing inputs need. */
export interface StoredInput {
  readonly input: Input;
  readonly kind: 'image' | 'text' | 'video' | 'audio';
  /** @throws Fault when the bytes are not there (yet) */
  bytes(): Promise<Buffer>;
}

export interface PredictDeps extends Deps {
  readonly engine: Pick<Engine, 'predict' | 'embed'>;
  readonly objects: ObjectStore;
  readonly fetcher: Fetcher;
  /** From the inputs family; undefined when the app has no such input. */
  findStoredInput(grant: AppGrant, id: string): Promise<StoredInput | undefined>;
}
