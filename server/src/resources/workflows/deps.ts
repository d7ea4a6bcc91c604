import type { AppGrant } from '#domain/grant.ts';
import type { RunDeps } from '../predictions/index.ts';

export interface WorkflowDeps extends RunDeps {
  /** Whether the owner of an app shows a public profile: only then may something inside be public. */
  isProfilePublic(grant: AppGrant): Promise<boolean>;
}
