import type { EvalInfo, Input } from '@fovea/contract';
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
  /**
   * Makes a version of a dataset to train on, or of all inputs of the app where the id is empty; from the datasets
   * family. Undefined when there is no such dataset.
   */
  addTrainingVersion(
    tx: Tx,
    grant: AppGrant,
    datasetId: string,
    description: string,
  ): Promise<{ readonly id: string; readonly datasetId: string } | undefined>;
  /** A few inputs that a dataset version holds, as they are shown, and the concepts that it says of each. */
  examplesIn(
    grant: AppGrant,
    datasetId: string,
    versionId: string,
  ): Promise<readonly { readonly input: Input; readonly conceptIds: readonly string[] }[]>;
}
