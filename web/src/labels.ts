import { call, inApp } from './api.ts';
import { conceptFor, findConcept, loadConcepts } from './concepts.ts';
import { count } from './dom.ts';
import { tell, tellTrouble } from './notices.ts';
import type { Input } from './wire.ts';

const perRequest = 128;

interface PatchReply {
  readonly inputs?: readonly Input[];
}

/** Labels pictures, or takes a label away. Returns the changed inputs; those that failed are told and left out. */
async function patch(
  ids: readonly string[],
  concept: { id: string; name: string },
  action: 'merge' | 'remove',
): Promise<Input[]> {
  const what =
    action === 'merge' ? 'The pictures could not be labelled.' : 'The label could not be taken away.';
  const changed: Input[] = [];
  for (let from = 0; from < ids.length; from += perRequest) {
    const inputs = ids.slice(from, from + perRequest).map((id) => ({
      id,
      data: { concepts: [action === 'merge' ? { ...concept, value: 1 } : { id: concept.id }] },
    }));
    const reply = await call<PatchReply>('PATCH', inApp('inputs'), { action, inputs }, { what });
    changed.push(
      ...(reply.inputs ?? []).filter(({ status }) => (status?.code ?? 0) === 30200 || status?.code === 10000),
    );
  }
  return changed;
}

/** Labels pictures with words; a concept of that name is made where there is none. `after` gets what changed. */
export async function label(
  inputs: readonly Input[],
  words: string,
  after: (changed: Input[]) => unknown,
): Promise<void> {
  const concept = conceptFor(words);
  const isNew = findConcept(words) === undefined;
  const before = new Set(
    inputs
      .filter(({ data }) => data?.concepts?.some(({ id, value }) => id === concept.id && (value ?? 0) > 0))
      .map(({ id }) => id),
  );
  const unlabelled = inputs.map(({ id }) => id).filter((id) => !before.has(id));
  if (unlabelled.length === 0) return tell(`All of them are labelled “${concept.name}” already.`);
  try {
    after(await patch(unlabelled, concept, 'merge'));
    const made = isNew ? ' It is a new concept.' : '';
    tell(`${count(unlabelled.length, 'picture')} labelled “${concept.name}”.${made}`, {
      label: 'Undo',
      press: () => takeAway(unlabelled, concept, after),
    });
    await loadConcepts();
  } catch (thrown) {
    tellTrouble(thrown);
  }
}

export async function unlabel(
  ids: readonly string[],
  concept: { id: string; name: string },
  after: (changed: Input[]) => unknown,
): Promise<void> {
  if (!(await takeAway(ids, concept, after))) return;
  tell(`“${concept.name}” taken away from ${count(ids.length, 'picture')}.`, {
    label: 'Undo',
    press: async () => {
      try {
        after(await patch(ids, concept, 'merge'));
        await loadConcepts();
      } catch (thrown) {
        tellTrouble(thrown);
      }
    },
  });
}

async function takeAway(
  ids: readonly string[],
  concept: { id: string; name: string },
  after: (changed: Input[]) => unknown,
): Promise<boolean> {
  try {
    after(await patch(ids, concept, 'remove'));
    await loadConcepts();
    return true;
  } catch (thrown) {
    tellTrouble(thrown);
    return false;
  }
}
