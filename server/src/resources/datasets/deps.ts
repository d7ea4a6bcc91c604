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
  /**
   * Row keys of all inputs that a search hits. Left out while nobody can answer searches: then filters by dataset
   * and input id are evaluated here, and others are refused.
   */
  readonly searchInputKeys?: (grant: AppGrant, search: Search) => Promise<readonly number[]>;
  /** Acts as the app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}
