import { clone, create } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { findModelType } from '../models/index.ts';

/** What several nodes made, as one: lists one after the other, of single things the last. */
export function mergedData(parents: readonly Data[]): Data {
  const merged = create(DataSchema);
  for (const parent of parents) {
    const {
      concepts,
      colors,
      clusters,
      embeddings,
      regions,
      frames,
      tracks,
      timeSegments,
      hits,
      heatmaps,
      parts,
    } = clone(DataSchema, parent);
    merged.concepts.push(...concepts);
    merged.colors.push(...colors);
    merged.clusters.push(...clusters);
    merged.embeddings.push(...embeddings);
    merged.regions.push(...regions);
    merged.frames.push(...frames);
    merged.tracks.push(...tracks);
    merged.timeSegments.push(...timeSegments);
    merged.hits.push(...hits);
    merged.heatmaps.push(...heatmaps);
    merged.parts.push(...parts);
    for (const kind of ['image', 'text', 'video', 'audio', 'metadata', 'geo'] as const) {
      if (parent[kind]) Object.assign(merged, { [kind]: parent[kind] });
    }
  }
  return merged;
}

/** What a model looks for in what comes to it. */
export type Appetite = 'any' | 'regions' | 'frames' | 'image' | 'text' | 'concepts' | 'embeddings' | 'other';

const known: readonly Appetite[] = ['any', 'image', 'text', 'concepts', 'embeddings'];

/** Types that take regions get them as they are; others are run on each region by itself. */
export function appetiteOf(typeId: string): Appetite {
  const fields = (findModelType(typeId)?.inputFields ?? ['image']).flatMap((field) => field.split(','));
  if (fields.some((field) => field.startsWith('frames'))) return 'frames';
  if (fields.some((field) => field.startsWith('regions'))) return 'regions';
  return known.find((kind) => fields.includes(kind)) ?? 'other';
}

/** Whether data holds what a model looks for. */
export function satisfies(data: Data, appetite: Appetite): boolean {
  switch (appetite) {
    case 'image':
      return data.image !== undefined;
    case 'text':
      return data.text !== undefined;
    case 'concepts':
      return data.concepts.length > 0;
    case 'embeddings':
      return data.embeddings.length > 0;
    case 'regions':
      return data.regions.length > 0;
    case 'frames':
      return data.frames.length > 0;
    case 'any':
      return true;
    case 'other':
      return false;
  }
}
