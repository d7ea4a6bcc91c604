import { clone, create } from '@bufbuild/protobuf';
import { type Concept, type Data, DataSchema, type OutputInfo, RegionSchema } from '@fovea/contract';
import { type Operator, param } from './settings.ts';

const compare: Readonly<Record<number, (value: number, limit: number) => boolean>> = {
  1: (value, limit) => value > limit,
  2: (value, limit) => value >= limit,
  3: (value, limit) => value < limit,
  4: (value, limit) => value <= limit,
  5: (value, limit) => value === limit,
};

const comparisonNumbers: Readonly<Record<string, number>> = {
  GREATER_THAN: 1,
  GREATER_THAN_OR_EQUAL_TO: 2,
  LESS_THAN: 3,
  LESS_THAN_OR_EQUAL_TO: 4,
  EQUAL: 5,
};

/** Whether a concept passes; concepts without a threshold of their own do not. */
function threshold(settings: OutputInfo | undefined): (concept: Concept) => boolean {
  const type = param(settings, 'concept_threshold_type');
  const number = typeof type === 'string' ? (comparisonNumbers[type] ?? Number(type)) : Number(type ?? 1);
  const passes = compare[number] ?? compare[1];
  const limits = new Map(settings?.data?.concepts.map((concept) => [concept.id, concept.value]));
  return (concept) => {
    const limit = limits.get(concept.id);
    return limit !== undefined && (passes?.(concept.value, limit) ?? false);
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
