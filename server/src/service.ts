import type { Service } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Deps } from '#resources/common/deps.ts';
import { type AppsParts, appHandlers } from '#resources/apps/index.ts';
import { conceptHandlers } from '#resources/concepts/index.ts';
import { identityHandlers, type RememberedDirectory } from '#resources/identity/index.ts';
import { reindexApp } from '#resources/indexing/index.ts';
import { type InputDeps, inputHandlers } from '#resources/inputs/index.ts';
import { notYet } from '#resources/not-yet.ts';
import { statusCodeHandlers } from '#resources/status-codes/index.ts';

/** The whole service in one expression: an RPC that nobody answers, and that is not listed as missing, does not compile. */
export function openService(deps: Deps & InputDeps, directory: RememberedDirectory): Service<Call> {
  const { db } = deps;
  // The workflows family takes this over when it lands.
  const copyWorkflowIntoApp: AppsParts['copyWorkflowIntoApp'] = async () => {};
  return {
    ...notYet,
    ...statusCodeHandlers(),
    ...identityHandlers(deps, directory),
    ...conceptHandlers(deps),
    ...inputHandlers(deps),
    ...appHandlers({ db, directory, copyWorkflowIntoApp, reindexApp }),
  } satisfies Service<Call>;
}
