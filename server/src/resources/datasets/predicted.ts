import { create, toBinary } from '@bufbuild/protobuf';
import { type Concept, type Data, DataSchema } from '@fovea/contract';
import { kindsOf } from '#domain/annotation-kinds.ts';
import type { PredictedRow } from './chunk-store.ts';

/** What a model said of an input, as annotations say it: one for the input as a whole, one for each region. */
export function predictedRows(data: Data): PredictedRow[] {
  const { concepts, colors, clusters } = data;
  const whole = create(DataSchema, { concepts, colors, clusters });
  const parts = [whole, ...data.regions.map((region) => create(DataSchema, { regions: [region] }))];
  return parts
    .filter((part) => kindsOf(part) !== 0)
    .map((part) => {
      const said = [...part.concepts, ...part.regions.flatMap(({ data }) => data?.concepts ?? [])];
      return {
        inputKey: 0,
        kinds: kindsOf(part),
        positive: idsOf(said, true),
        negative: idsOf(said, false),
        data: Buffer.from(toBinary(DataSchema, part)),
      };
    });
}

/** A concept counts as present from one half on, as everywhere. */
const idsOf = (concepts: readonly Concept[], present: boolean): string[] => [
  ...new Set(concepts.filter(({ value }) => value >= 0.5 === present).map(({ id }) => id)),
];
