import type { AppGrant } from '#domain/grant.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { RunDeps } from '../predictions/index.ts';
import type { RunTimes } from './run-times.ts';

export interface WorkflowDeps extends RunDeps {
  /** Where the times of nodes are kept for a while. */
  readonly runTimes: RunTimes;
  /** Told, in the transaction that did it, that the nodes of a workflow of the app are others now. */
  readonly onWorkflowChanged: (tx: Tx, grant: AppGrant) => Promise<void>;
  /** Whether the owner of an app shows a public profile: only then may something inside be public. */
  isProfilePublic(grant: AppGrant): Promise<boolean>;
}
