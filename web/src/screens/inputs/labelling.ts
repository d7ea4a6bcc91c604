import type { Concept, Input } from '@fovea/contract/rest';
import { rpc } from '../../api/client.ts';
import { type AppName, refresh } from '../../api/queries.ts';
import { readInputs } from './sources.ts';

const perRequest = 128;
const ok = [30200, 10000, 30000];
/** Statuses of inputs that were put into a dataset, or were in it. */
const isPut = 64100;

export interface Change {
  /** Inputs as they are afterwards; those that were refused are left out. */
  readonly inputs: readonly Input[];
  /** How many are another than before. */
  readonly count: number;
  /** Puts back what was before, and leaves alone what was so already. */
  readonly undo: () => Promise<readonly Input[]>;
}

/** Labels inputs with a concept, or takes it away. */
export async function setLabel(
  app: AppName,
  ids: readonly string[],
  concept: Concept,
  action: 'merge' | 'remove',
): Promise<Change> {
  const before = new Map(
    (await readInputs(app, ids)).map(({ id = '', data }) => [
      id,
      data?.concepts?.find((one) => one.id === concept.id)?.value,
    ]),
  );
  const wanted = action === 'merge' ? 1 : undefined;
  const inputs = await patchLabel(app, ids, concept, wanted);
  const others = inputs.flatMap(({ id = '' }) => (before.get(id) === wanted ? [] : [id]));
  return {
    inputs,
    count: inputs.length,
    async undo() {
      const back: Input[] = [];
      for (const [value, some] of Map.groupBy(others, (id) => before.get(id)))
        back.push(...(await patchLabel(app, some, concept, value)));
      return back;
    },
  };
}

/** @param value of the label; undefined takes it away. Goes in steps of 128, which is what a request may hold. */
async function patchLabel(
  app: AppName,
  ids: readonly string[],
  concept: Concept,
  value: number | undefined,
): Promise<Input[]> {
  const changed: Input[] = [];
  const action = value === undefined ? 'remove' : 'merge';
  const label = value === undefined ? { id: concept.id ?? '' } : { ...concept, value };
  for (const some of chunks(ids)) {
    const inputs = some.map((id) => ({ id, data: { concepts: [label] } }));
    const reply = await rpc('PatchInputs', { user_app_id: app, action, inputs }, { mixedIsFine: true });
    changed.push(...(reply.inputs ?? []).filter(({ status }) => ok.includes(status?.code ?? 0)));
  }
  await refresh('GetConceptCounts', 'ListConcepts', 'ListInputs');
  return changed;
}

/** Puts inputs into a dataset. @returns those that were not in it before */
export async function putIntoDataset(
  app: AppName,
  dataset_id: string,
  ids: readonly string[],
): Promise<string[]> {
  const put: string[] = [];
  for (const some of chunks(ids)) {
    const reply = await rpc(
      'PostDatasetInputs',
      { user_app_id: app, dataset_id, dataset_inputs: some.map((id) => ({ input: { id } })) },
      { mixedIsFine: true },
    );
    put.push(...some.filter((_, i) => reply.dataset_inputs?.[i]?.input?.status?.code === isPut));
  }
  await refresh('ListDatasets', 'ListDatasetInputs', 'PostInputsSearches');
  return put;
}

export async function takeOutOfDataset(
  app: AppName,
  dataset_id: string,
  input_ids: readonly string[],
): Promise<void> {
  for (const some of chunks(input_ids))
    await rpc('DeleteDatasetInputs', { user_app_id: app, dataset_id, input_ids: some });
  await refresh('ListDatasets', 'ListDatasetInputs', 'PostInputsSearches');
}

/** In steps that one request may hold. */
export function* chunks(ids: readonly string[]): Generator<string[]> {
  for (let from = 0; from < ids.length; from += perRequest) yield ids.slice(from, from + perRequest);
}
