import type { Search } from '@fovea/contract';
import type { AppGrant, Caller } from '#domain/grant.ts';
import type { FindInputs } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';

export interface BulkParts extends Deps {
  readonly findInputs: FindInputs;
  readonly searches: {
    /** @throws Fault for a search that cannot be run */
    check(search: Search): void;
    inputKeys(grant: AppGrant, search: Search): Promise<readonly number[]>;
    annotationKeys(grant: AppGrant, search: Search): Promise<readonly number[]>;
  };
}

export interface BulkJobParts extends BulkParts {
  /** Acts on the app with its owner's rights, in the name of who asked; undefined when the app is gone. */
  readonly jobGrant: (
    appKey: number,
    asked: Pick<Caller, 'userKey' | 'userId'>,
  ) => Promise<AppGrant | undefined>;
}
