import type { Concept, Data } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble } from '#domain/ids.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { conceptIdsByName, conceptsById, ensureConcepts, idFromName } from '../concepts/index.ts';
import { conceptsIn, mention, onePerConcept, withConcepts } from './labels-in-data.ts';

/** Why the labels in some data cannot be stored, or undefined when they can. */
export function labelTrouble(data: Data | undefined): string | undefined {
  for (const { id, name, value } of conceptsIn(data)) {
    if (id === '' && idFromName(name) === '')
      return 'data.concepts[] holds a concept with neither id nor name.';
    const trouble = id === '' ? undefined : idTrouble(id, 'concept');
    if (trouble) return `data.concepts[]: ${trouble}`;
    if (!(value >= 0 && value <= 1)) {
      return `data.concepts[]: the value of '${id || name}' is ${value}; it goes from 0 (absent) to 1 (present).`;
    }
  }
  return undefined;
}

/**
 * Gives every concept of a batch an id and makes those the app does not know yet. A concept that is only named
 * is the app's concept of that name, else a new one whose id is made from the name.
 *
 * @returns the same data, each concept reduced to id and value
 * @throws Fault 11007 when a concept would have to be made and the caller lacks `Concepts_Add`
 */
export async function settleLabels(db: Db, grant: AppGrant, batch: readonly Data[]): Promise<Data[]> {
  const named = batch.flatMap(conceptsIn);
  if (named.length === 0) return [...batch];
  const idByName = await idsOfNames(db, grant, named);
  const idOf = (concept: Concept) => concept.id || (idByName.get(concept.name) as string);
  await makeMissing(
    db,
    grant,
    named.map((concept) => ({ id: idOf(concept), name: concept.name })),
  );
  return batch.map((data) =>
    withConcepts(data, (concepts) =>
      onePerConcept(concepts.map((c) => mention({ id: idOf(c), value: c.value }))),
    ),
  );
}

async function idsOfNames(
  db: Db,
  grant: AppGrant,
  concepts: readonly Concept[],
): Promise<Map<string, string>> {
  const names = [...new Set(concepts.filter((c) => c.id === '').map((c) => c.name))];
  const ids = new Map(names.map((name) => [name, idFromName(name)]));
  if (names.length === 0) return ids;
  for (const { name, id } of await conceptIdsByName(db, grant, names)) ids.set(name, id);
  return ids;
}

/**
 * Makes the concepts that the app does not know yet.
 *
 * @throws Fault 11007 when there are some and the caller lacks `Concepts_Add`
 */
export async function makeMissing(
  db: Db,
  grant: AppGrant,
  named: Iterable<{ readonly id: string; readonly name: string }>,
): Promise<void> {
  const nameById = new Map<string, string>();
  for (const { id, name } of named) nameById.set(id, nameById.get(id) || name);
  if (nameById.size === 0) return;
  for (const { id } of await conceptsById(db, grant, [...nameById.keys()])) nameById.delete(id);
  if (nameById.size === 0) return;
  if (!grant.holds('Concepts_Add')) {
    throw commonFault.scopeNeeded('Concepts_Add', `to make the concept '${[...nameById.keys()][0]}'`);
  }
  await ensureConcepts(
    db,
    grant,
    [...nameById].map(([id, name]) => ({ id, name: name || id })),
  );
}

/** The same data with an id for every concept that is only named; makes nothing. For what is to be removed. */
export async function identifyLabels(db: Db, grant: AppGrant, batch: readonly Data[]): Promise<Data[]> {
  const idByName = await idsOfNames(db, grant, batch.flatMap(conceptsIn));
  const named = (c: Concept) => mention({ id: c.id || (idByName.get(c.name) as string), value: c.value });
  return batch.map((data) => withConcepts(data, (concepts) => concepts.map(named)));
}
