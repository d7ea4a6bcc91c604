import { clone, create } from '@bufbuild/protobuf';
import { type Concept, type Data, DataSchema, type OutputInfo, RegionSchema } from '@fovea/contract';
import { predictionFault } from '../faults.ts';
import { type Operator, param } from './settings.ts';

const compare: Readonly<Record<number, (value: number, limit: number) => boolean>> = {
  1: (value, limit) => value > limit,
  2: (value, limit) => value >= limit,
  3: (value, limit) => value < limit,
  4: (value, limit) => value <= limit,
  5: (value, limit) => value === limit,
};

/** Names of the contract's ValueComparator; the page of the live service adds `_TO`, and writes spaces. */
const comparisonNumbers: Readonly<Record<string, number>> = {
  GREATER_THAN: 1,
  GREATER_THAN_OR_EQUAL: 2,
  LESS_THAN: 3,
  LESS_THAN_OR_EQUAL: 4,
  EQUAL: 5,
};

/** @throws Fault 21202 for a comparison that is none */
function comparison(settings: OutputInfo | undefined): (value: number, limit: number) => boolean {
  const said = param(settings, 'concept_threshold_type') || 'GREATER_THAN';
  const name = String(said)
    .toUpperCase()
    .replaceAll(' ', '_')
    .replace(/_EQUAL_TO$/, '_EQUAL');
  const found = compare[comparisonNumbers[name] ?? Number(name)];
  if (found) return found;
  const known = Object.entries(comparisonNumbers).map(([one, number]) => `${one} (${number})`);
  throw predictionFault.badParam('concept_threshold_type', `one of ${known.join(', ')}`);
}

/** Whether a concept passes; concepts without a threshold of their own do not. */
function threshold(settings: OutputInfo | undefined): (concept: Concept) => boolean {
  const passes = comparison(settings);
  const limits = new Map(settings?.data?.concepts.map((concept) => [concept.id, concept.value]));
  return (concept) => {
    const limit = limits.get(concept.id);
    return limit !== undefined && passes(concept.value, limit);
  };
}

/** A region none of whose concepts passes is dropped. */
export const thresholdRegions: Operator = ({ data, settings }): Data => {
  const passes = threshold(settings);
  const regions = data.regions.flatMap((region) => {
    const concepts = region.data?.concepts.filter(passes) ?? [];
    if (concepts.length === 0) return [];
    const kept = clone(RegionSchema, region);
    if (kept.data) kept.data.concepts = concepts;
    return [kept];
  });
  return create(DataSchema, { regions });
};

export const thresholdConcepts: Operator = ({ data, settings }) =>
  create(DataSchema, { concepts: data.concepts.filter(threshold(settings)) });
