import { searchFault } from './faults.ts';
import type { ConceptTerm } from './query.ts';

const conceptsMax = 1_000;

/** @throws Fault 40002 for a concept that names nothing or a value outside 0..1 */
export function readConcepts(wire: readonly { id: string; name: string; value: number }[]): ConceptTerm[] {
  if (wire.length > conceptsMax)
    throw searchFault.tooMany('data.concepts of one filter or rank', wire.length, conceptsMax);
  return wire.map(({ id, name, value }) => {
    if (!id && !name) throw searchFault.invalid('data.concepts[] needs an id or a name.');
    if (!(value >= 0 && value <= 1))
      throw searchFault.invalid(`data.concepts[].value is ${value}; it goes from 0 to 1.`);
    return { id, name, value };
  });
}
