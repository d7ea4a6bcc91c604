export type { ConceptMention } from './concept.ts';
export { idFromName } from './concept.ts';
export { conceptHandlers } from './handlers.ts';
export { conceptJobs } from './mapping.ts';
export { type ConceptNames, conceptNames } from './names-store.ts';
export type { Predicate } from './relation.ts';
export { type RelatedConcept, relatedConcepts } from './relation-store.ts';
export {
  conceptIdsByName,
  conceptsById,
  ensureConcepts,
  insertConcepts,
  pageOfConcepts,
  pageOfConceptsInLanguage,
} from './store.ts';
export { showConcept } from './translate.ts';
