import type { RunnerSelector } from '@fovea/contract';
import { predictionFault } from './faults.ts';

/**
 * Where a model is to run. Everything runs in this server, so a selector that names a place of its own cannot be met.
 *
 * @throws Fault naming the deployment, nodepool or runner that is not there
 */
export function checkSelector(selector: RunnerSelector | undefined): void {
  if (selector?.deployment?.id) throw predictionFault.noSuchPlace('deployment', selector.deployment.id);
  if (selector?.nodepool?.id) throw predictionFault.noSuchPlace('nodepool', selector.nodepool.id);
  if (selector?.runner?.id) throw predictionFault.noSuchPlace('runner', selector.runner.id);
}
