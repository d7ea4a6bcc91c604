import { type Concept, ConceptSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { completed, packBody, readVisibility, showTime, showVisibility } from '../common/translate.ts';
import { type ConceptRow, conceptTrouble, idFromName, type NewConcept } from './concept.ts';
import { conceptFault } from './faults.ts';

/** Fields with a column of their own, or that belong to a mention and not to the concept. */
export const columns = [
  'id',
  'name',
  'language',
  'visibility',
  'value',
  'createdAt',
  'appId',
  'userId',
  'extraInfo',
] as const;

/** @throws Fault 40003 naming what is wrong with the id. */
export function readConcept(wire: Concept, grant: AppGrant): NewConcept {
  const id = wire.id || idFromName(wire.name);
  const trouble = conceptTrouble({ id, name: wire.name });
  if (trouble) throw conceptFault.invalid(trouble);
  return {
    id,
    name: wire.name || id,
    language: wire.language || grant.defaultLanguage,
    visibility: readVisibility(wire.visibility),
    body: packBody(ConceptSchema, wire, columns),
  };
}

export function showConcept(row: ConceptRow, grant: AppGrant, value = 0): Concept {
  return completed(ConceptSchema, row.body, {
    id: row.id,
    name: row.name,
    value,
    language: row.language,
    visibility: showVisibility(row.visibility),
    createdAt: showTime(row.createdAt),
    appId: grant.appId,
    userId: grant.userId,
  });
}
