import type { Input, Search } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { FindInputs } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';

export interface DatasetParts extends Deps {
  readonly findInputs: FindInputs;
  /** Inputs as the contract shows them; those that are gone are left out. */
  readonly showInputs: (grant: AppGrant, inputKeys: readonly number[]) => Promise<readonly Input[]>;
  /** Whether the profile of the app's owner can be seen by all, without which nothing of it may be public. */
  readonly isProfilePublic: (grant: AppGrant) => Promise<boolean>;
  /** Searches, answered by the family that stands after this one. */
  readonly searches: {
    /** @throws Fault for a search that cannot be run */
    check(search: Search): void;
    /** Row keys of all inputs that match. */
    inputKeys(grant: AppGrant, search: Search): Promise<readonly number[]>;
  };
  /** Acts as the app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}
