import { commonFault } from '../common/faults.ts';
import { conceptFault } from './faults.ts';

/** How two concepts relate, as it is said: the subject is PREDICATE of the object. */
export const predicates = ['hypernym', 'hyponym', 'synonym'] as const;
export type Predicate = (typeof predicates)[number];

/** A relation as it is stored: the subject is a kind of the object, or means the same. */
export interface StoredRelation {
  readonly predicate: 'hyponym' | 'synonym';
  readonly subjectId: string;
  readonly objectId: string;
}

export interface SaidRelation {
  readonly predicate: Predicate;
  readonly subjectId: string;
  readonly objectId: string;
}

/** @throws Fault 40003 for a word that is none of the three */
export function readPredicate(word: string, field: string): Predicate {
  const known = predicates.find((one) => one === word);
  if (!known) throw conceptFault.invalid(`${field} is '${word}'; use ${predicates.join(', ')}.`);
  return known;
}

/** "food is hypernym of honey" and "honey is hyponym of food" are one fact, kept the second way. */
export const toStored = ({ predicate, subjectId, objectId }: SaidRelation): StoredRelation =>
  predicate === 'hypernym'
    ? { predicate: 'hyponym', subjectId: objectId, objectId: subjectId }
    : { predicate, subjectId, objectId };

const inverse: Record<Predicate, Predicate> = {
  hyponym: 'hypernym',
  hypernym: 'hyponym',
  synonym: 'synonym',
};

/** The relation as seen from one of its two concepts. */
export const seenFrom = (
  conceptId: string,
  { predicate, subjectId, objectId }: SaidRelation,
): SaidRelation =>
  conceptId === subjectId
    ? { predicate, subjectId, objectId }
    : { predicate: inverse[predicate], subjectId: objectId, objectId: subjectId };

/** @throws Fault 40003 for a concept that is to be related to itself */
export function checkRelation({ subjectId, objectId }: SaidRelation): void {
  if (objectId === '') throw conceptFault.invalid('concept_relations[].object_concept.id is empty.');
  if (subjectId === objectId)
    throw conceptFault.invalid(`The concept '${subjectId}' cannot be related to itself.`);
}

/** A name as it is compared: 'Hot_Dogs ' and 'hot dog' are near, and no more than spelling is taken away. */
export const comparable = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ')
    .trim();

export const relationsMax = 1000;

export function checkCount(field: string, n: number): void {
  if (n === 0) throw conceptFault.invalid(`${field} is empty; send at least one.`);
  if (n > relationsMax) throw commonFault.tooMany(field, n, relationsMax);
}
