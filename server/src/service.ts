import type { Service } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Deps } from '#resources/common/deps.ts';
import { type AppsParts, appHandlers } from '#resources/apps/index.ts';
import { conceptHandlers } from '#resources/concepts/index.ts';
import { identityHandlers, type RememberedDirectory } from '#resources/identity/index.ts';
import { notYet } from '#resources/not-yet.ts';
import { statusCodeHandlers } from '#resources/status-codes/index.ts';

/** The whole service in one expression: an RPC that nobody answers, and that is not listed as missing, does not compile. */
export function openService(deps: Deps, directory: RememberedDirectory): Service<Call> {
  const { db } = deps;
  // The workflows and indexing families take these over when they land.
  const copyWorkflowIntoApp: AppsParts['copyWorkflowIntoApp'] = async () => {};
  const reindexApp: AppsParts['reindexApp'] = async () => {};
  return {
    ...notYet,
    ...statusCodeHandlers(),
    ...identityHandlers(deps, directory),
    ...conceptHandlers(deps),
    ...appHandlers({ db, directory, copyWorkflowIntoApp, reindexApp }),
  } satisfies Service<Call>;
}
