import { idTrouble } from '#domain/ids.ts';

/** A concept as we keep it: what has a column of its own. The rest of the message travels in `body`. */
export interface ConceptRow {
  readonly id: string;
  readonly name: string;
  readonly language: string;
  readonly visibility: number;
  readonly body: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface NewConcept extends Omit<ConceptRow, 'createdAt' | 'modifiedAt'> {}

/** A label somebody put on something: which concept, and how sure (1 present, 0 absent). */
export interface ConceptMention {
  readonly id: string;
  readonly name: string;
}

/**
 * Id of a concept that is only named: the name itself where it can be an id, so that the same word always
 * finds the same concept.
 */
export const idFromName = (name: string): string => name.trim().replace(/[\u0000-\u001f\u007f/\\?#%]+/g, '-');

/** Why a concept cannot be stored, or undefined when it can. */
export function conceptTrouble(concept: { id: string; name: string }): string | undefined {
  if (concept.id === '') return 'A concept needs an id or a name.';
  return idTrouble(concept.id, 'concept');
}
