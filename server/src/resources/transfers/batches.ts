import type { Annotation as Wire } from '@fovea/contract';
import {
  type Annotation,
  concat,
  type Dataset,
  fit,
  type ImageRecord,
  isPlaced,
  sized,
  ZipBroken,
} from '@fovea/formats';
import { breathing } from '#domain/breath.ts';
import type { PlainBox } from '../annotations/index.ts';
import { inputIdOf } from './transfer.ts';
import { ownHolds } from './translate.ts';

/** As many as one PostInputs takes. */
const recordsPerBatch = 128;
const bytesPerBatch = 32 * 2 ** 20;
/** Larger pictures are refused by PostInputs in any case. */
const imageBytesMax = 128 * 2 ** 20;
/** In one transaction; what each costs by itself is paid once for all of them. */
const annotationsTogether = 512;
/** A batch ends with a whole picture, so that it may hold a few more than that. */
const annotationsTogetherMax = 2 * annotationsTogether;

export interface Item {
  readonly id: string;
  readonly record: ImageRecord;
  readonly bytes: Uint8Array | undefined;
}

/** Labels of the picture as a whole that are nothing but that; they become concepts of the input itself. */
export const isWholeLabel = (one: Annotation): boolean =>
  one.label !== undefined &&
  one.id === undefined &&
  one.attributes === undefined &&
  one.text === undefined &&
  !isPlaced(one);
interface Batching {
  readonly datasetId: string;
  /** Records that are passed over. */
  readonly from: number;
  readonly withBytes: boolean;
  /** False where nobody looks at any. */
  readonly withAnnotations: boolean;
}

/** Records from the cursor on, in batches that fit into memory. */
export async function* batches(
  dataset: Dataset,
  { datasetId, from, withBytes, withAnnotations }: Batching,
): AsyncGenerator<Item[]> {
  let index = 0;
  let batch: Item[] = [];
  let size = 0;
  let said = 0;
  const breathe = breathing();
  for await (const record of dataset.records({ annotations: withAnnotations })) {
    await breathe();
    if (index++ < from) continue;
    const bytes = withBytes ? await bytesOf(record) : undefined;
    // Inputs are made with labels of theirs; the rest is said later, and looked at then.
    const annotations = withBytes ? record.annotations.filter(isWholeLabel) : record.annotations;
    const fitted = fit(await sized({ ...record, annotations }), ownHolds, () => {}) as ImageRecord;
    batch.push({ id: inputIdOf(datasetId, record.split, record.path), record: fitted, bytes });
    size += bytes?.length ?? 0;
    if (!withBytes) said += record.annotations.length;
    if (batch.length < recordsPerBatch && size < bytesPerBatch && said < annotationsTogether) continue;
    yield batch;
    batch = [];
    size = 0;
    said = 0;
  }
  if (batch.length > 0) yield batch;
}

/** @returns undefined where the file is not there, is broken, or too large */
async function bytesOf(record: ImageRecord): Promise<Uint8Array | undefined> {
  if (!record.bytes) return undefined;
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of record.bytes()) {
      size += part.length;
      if (size > imageBytesMax) return undefined;
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof ZipBroken) return undefined;
    throw error;
  }
  return concat(parts);
}

/** An annotation as it will be sent: most are plain boxes, which need not become messages. */
export type Said = { readonly path: string } & (
  | { readonly box: PlainBox; readonly wire?: undefined }
  | { readonly wire: Wire; readonly box?: undefined }
);

/** Annotations in portions that are stored together; masks travel with their bytes. */
export function* portionsOf(all: readonly Said[]): Generator<readonly Said[]> {
  let portion: Said[] = [];
  let size = 0;
  for (const one of all) {
    portion.push(one);
    size += one.wire ? maskBytesOf(one.wire) : 0;
    if (portion.length < annotationsTogetherMax && size < bytesPerBatch) continue;
    yield portion;
    portion = [];
    size = 0;
  }
  if (portion.length > 0) yield portion;
}

const maskBytesOf = ({ data }: Wire): number =>
  data?.regions.reduce((sum, { regionInfo }) => sum + (regionInfo?.mask?.image?.base64.length ?? 0), 0) ?? 0;
