import { create } from '@bufbuild/protobuf';
import { type Concept, ConceptSchema, type Data } from '@fovea/contract';

/** All concepts that some data names, at any depth, in reading order. */
export function conceptsIn(data: Data | undefined): Concept[] {
  const found: Concept[] = [];
  collect(data, found);
  return found;
}

function collect(data: Data | undefined, found: Concept[]): void {
  if (!data) return;
  for (const concept of data.concepts) found.push(concept);
  for (const part of partsOf(data)) collect(part.data, found);
}

/** What has data of its own inside some data: regions, frames, segments, tracks. */
export const partsOf = ({ regions, frames, timeSegments, tracks }: Data) =>
  frames.length + timeSegments.length + tracks.length === 0
    ? regions
    : [...regions, ...frames, ...timeSegments, ...tracks];

/** The same data with every list of concepts, at any depth, passed through `change`. */
export function withConcepts(data: Data, change: (concepts: readonly Concept[]) => Concept[]): Data {
  const inside = <Part extends { data?: Data | undefined }>(parts: readonly Part[]): Part[] =>
    parts.map((part) => (part.data ? { ...part, data: withConcepts(part.data, change) } : part));
  return {
    ...data,
    concepts: data.concepts.length === 0 ? [] : change(data.concepts),
    regions: inside(data.regions),
    frames: inside(data.frames),
    timeSegments: inside(data.timeSegments),
    tracks: inside(data.tracks),
  };
}

export interface Label {
  readonly conceptId: string;
  readonly value: number;
}

/** One label per concept: where a concept is named in several places, its surest value counts. */
export function labelsOf(data: Data): Label[] {
  const byId = new Map<string, number>();
  for (const { id, value } of conceptsIn(data)) byId.set(id, Math.max(byId.get(id) ?? 0, value));
  return [...byId].map(([conceptId, value]) => ({ conceptId, value }));
}

/** What is kept of a concept inside an annotation: the rest belongs to the concept itself and may change there. */
export const mention = ({ id, value }: { id: string; value: number }): Concept =>
  create(ConceptSchema, { id, value });

/** A concept sent twice in one list counts once: the last one, in the place of the first. */
export function onePerConcept(concepts: readonly Concept[]): Concept[] {
  const byId = new Map<string, Concept>();
  for (const concept of concepts) byId.set(concept.id, concept);
  return [...byId.values()];
}
