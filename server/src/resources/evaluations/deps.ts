import type { Input, Search } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { RunDeps } from '../predictions/index.ts';

/** What evaluations need of the others. */
export interface EvaluationDeps extends RunDeps {
  /** Inputs as the contract shows them; those that are gone are left out. */
  showInputs(grant: AppGrant, inputKeys: readonly number[]): Promise<readonly Input[]>;
  readonly searches: {
    /** @throws Fault for a search that cannot be run */
    check(search: Search): void;
    /** Row keys of all inputs that match. */
    inputKeys(grant: AppGrant, search: Search): Promise<readonly number[]>;
  };
  /** Acts as an app's owner in the background; undefined when the app is gone. */
  jobGrant(appKey: number): Promise<AppGrant | undefined>;
}
