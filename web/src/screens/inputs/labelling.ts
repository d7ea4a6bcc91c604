import type { Concept, Input } from '@fovea/contract/rest';
import { rpc } from '../../api/client.ts';
import { type AppName, refresh } from '../../api/queries.ts';

const perRequest = 128;
const ok = [30200, 10000, 30000];

/**
 * Labels inputs with a concept, or takes it away. Goes in steps of 128, which is what a request may hold.
 *
 * @returns the inputs as they are afterwards; those that were refused are left out
 */
export async function setLabel(
  app: AppName,
  ids: readonly string[],
  concept: Concept,
  action: 'merge' | 'remove',
): Promise<Input[]> {
  const changed: Input[] = [];
  for (let from = 0; from < ids.length; from += perRequest) {
    const inputs = ids.slice(from, from + perRequest).map((id) => ({
      id,
      data: { concepts: [action === 'merge' ? { ...concept, value: 1 } : { id: concept.id ?? '' }] },
    }));
    const reply = await rpc('PatchInputs', { user_app_id: app, action, inputs }, { mixedIsFine: true });
    changed.push(...(reply.inputs ?? []).filter(({ status }) => ok.includes(status?.code ?? 0)));
  }
  await refresh('GetConceptCounts', 'ListConcepts');
  return changed;
}

export async function deleteInputs(app: AppName, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += perRequest)
    await rpc('DeleteInputs', { user_app_id: app, ids: ids.slice(from, from + perRequest) });
  await refresh('GetInputCount', 'GetResourceCounts', 'GetConceptCounts', 'PostInputsSearches');
}
