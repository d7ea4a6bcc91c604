import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Data, DataSchema, type Region, RegionSchema } from '@fovea/contract';
import { newId } from '#domain/ids.ts';
import type { PredictedConcept, PredictedMask, PredictedRegion, Prediction } from '#engine/index.ts';

/** Whose concepts a network speaks of: for built-in ones, those of the platform's app. */
export interface ConceptOwner {
  readonly appId: string;
  readonly userId: string;
}

/** What a network said, as the contract shows it. */
export function showPrediction(said: Prediction, owner: ConceptOwner): Data {
  return create(DataSchema, {
    concepts: showConcepts(said.concepts, owner),
    regions: [
      ...(said.regions ?? []).map((region) => showRegion(region, owner)),
      ...(said.masks ?? []).map((mask) => showMask(mask, owner)),
    ],
    embeddings: showEmbedding(said.embedding),
    colors: (said.colors ?? []).map(({ hex, w3cHex, w3cName, value }) => ({
      rawHex: hex,
      w3c: { hex: w3cHex, name: w3cName },
      value,
    })),
  });
}

export const showEmbedding = (vector: Float32Array | undefined) =>
  vector ? [{ vector: [...vector], numDimensions: vector.length }] : [];

const showConcepts = (concepts: readonly PredictedConcept[] | undefined, owner: ConceptOwner) =>
  (concepts ?? []).map(({ id, name, value }) => ({
    id,
    name,
    value,
    appId: owner.appId,
    userId: owner.userId,
  }));

const showMask = ({ mask, value, concepts }: PredictedMask, owner: ConceptOwner): Region =>
  create(RegionSchema, {
    id: newId(),
    value,
    regionInfo: { mask: { image: { base64: mask } } },
    data: { concepts: showConcepts(concepts, owner) },
  });

function showRegion(region: PredictedRegion, owner: ConceptOwner): Region {
  const { box, value, concepts, keypoints = [], embedding, ageYears, text } = region;
  const made: MessageInitShape<typeof RegionSchema> = {
    id: newId(),
    value,
    regionInfo: {
      boundingBox: { topRow: box.top, leftCol: box.left, bottomRow: box.bottom, rightCol: box.right },
      keypointLocations: keypoints.map(({ row, col }) => ({ row, col, visibility: 1 })),
    },
    data: {
      concepts: showConcepts(concepts, owner),
      embeddings: showEmbedding(embedding),
      ...(ageYears === undefined ? {} : { metadata: { age_years: ageYears } }),
      ...(text === undefined ? {} : { text: { raw: text } }),
    },
  };
  return create(RegionSchema, made);
}
