import { create } from '@bufbuild/protobuf';
import { type Concept, type Data, DataSchema, EmbeddingSchema, type Frame } from '@fovea/contract';
import { type JsonMap, merged } from '#domain/patch.ts';
import { unpackBody } from '../../common/translate.ts';
import type { KeptAnnotation } from '../version-rows.ts';

/**
 * Everything that annotations say of one input in one Data, as archives carry it: labels, metadata and place of the
 * whole input, and every region, frame, time segment and track. What the input's own annotation says goes before
 * what others add.
 *
 * `vectors` are float32, little endian, by annotation.
 */
export function mergedData(
  media: Data,
  annotations: readonly KeptAnnotation[],
  vectors: ReadonlyMap<number, readonly Buffer[]> = new Map(),
): Data {
  const all = annotations.map((annotation) => ({
    ...annotation,
    data: unpackBody(DataSchema, annotation.data),
  }));
  const data = create(DataSchema, { ...media, concepts: [], metadata: undefined, geo: undefined });
  for (const { data: said, annotationKey } of all) {
    data.concepts.push(...unsaid(data.concepts, said.concepts));
    // What was said first stays where two say different things.
    if (said.metadata)
      data.metadata = data.metadata
        ? (merged(said.metadata as JsonMap, data.metadata as JsonMap) as Data['metadata'])
        : said.metadata;
    data.geo ??= said.geo;
    data.colors.push(...said.colors);
    data.clusters.push(...said.clusters);
    if (!data.text && said.text) data.text = said.text;
    const own = (vectors.get(annotationKey) ?? []).map(showVector);
    const [region] = said.regions;
    if (region && said.regions.length === 1 && own.length > 0) {
      region.data ??= create(DataSchema);
      region.data.embeddings.push(...own);
    } else data.embeddings.push(...own);
    data.regions.push(...said.regions);
    for (const frame of said.frames) addFrame(data.frames, frame);
    data.timeSegments.push(...said.timeSegments);
    data.tracks.push(...said.tracks);
  }
  return data;
}

const unsaid = (known: readonly Concept[], more: readonly Concept[]): Concept[] =>
  more.filter(({ id }) => !known.some((concept) => concept.id === id));

/** An annotation holds at most one frame: those of one moment are put together. */
function addFrame(frames: Frame[], frame: Frame): void {
  const same = frames.find(
    ({ frameInfo }) =>
      frameInfo?.time === frame.frameInfo?.time && frameInfo?.number === frame.frameInfo?.number,
  );
  if (!same) return void frames.push(frame);
  same.data ??= create(DataSchema);
  same.data.concepts.push(...unsaid(same.data.concepts, frame.data?.concepts ?? []));
  same.data.regions.push(...(frame.data?.regions ?? []));
}

function showVector(packed: Buffer) {
  const vector = Array.from({ length: packed.length / 4 }, (_, i) => packed.readFloatLE(i * 4));
  return create(EmbeddingSchema, { vector, numDimensions: vector.length });
}
