import type { Data } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { FoundInput } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';

export interface CollectorParts extends Deps {
  /** What a key may do in an app, by PostInputs. @throws Fault as PostInputs would with that key */
  readonly keyGrant: (secret: string, grant: AppGrant) => Promise<AppGrant>;
  /** @throws Fault when the app (and the platform) has no such workflow */
  readonly checkWorkflow: (call: Call, id: string) => Promise<void>;
  /** Row key of a model version that the caller may see. @throws Fault 21200 */
  readonly findModelVersion: (
    call: Call,
    named: { userId: string; appId: string; modelId: string; versionId: string },
  ) => Promise<{ key: number; ownerKey: number }>;
}

export interface CollectorJobParts extends CollectorParts {
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  readonly findInput: (grant: AppGrant, id: string) => Promise<FoundInput | undefined>;
  /** What the nodes of a workflow make of some data. @throws Fault when it is gone */
  readonly runWorkflow: (
    grant: AppGrant,
    workflowId: string,
    data: Data,
    signal: AbortSignal,
  ) => Promise<readonly Data[]>;
  /** PostInputs with one input; one that is there already counts as posted. @throws Fault why it cannot be posted */
  readonly postInput: (grant: AppGrant, id: string, data: Data) => Promise<void>;
}
