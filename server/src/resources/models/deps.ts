import type { EvalInfo } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Deps } from '../common/deps.ts';

/** What the models family needs of others. */
export interface ModelDeps extends Deps {
  /** Whether the owner of an app shows a public profile: only then may something inside be public. */
  isProfilePublic(grant: AppGrant): Promise<boolean>;
  /** Puts the training of a version into the queue, in the transaction that makes the version. */
  enqueueTraining(tx: Tx, grant: AppGrant, versionKey: number): Promise<void>;
  /** Has a version evaluated once it is trained, in the transaction that makes it. @throws Fault for bad settings */
  evaluateAfterTraining(tx: Tx, grant: AppGrant, versionKey: number, evalInfo: EvalInfo): Promise<void>;
  /** Makes a version of a dataset to train on, from the datasets family; undefined when there is no such dataset. */
  addTrainingVersion(
    tx: Tx,
    grant: AppGrant,
    datasetId: string,
    description: string,
  ): Promise<{ readonly id: string } | undefined>;
}
