import { type Dataset, DatasetSchema } from '@fovea/contract';
import { idTrouble, newId } from '#domain/ids.ts';
import { type Json, merged } from '#domain/patch.ts';
import { commonFault } from '../common/faults.ts';
import { packBody, readVisibility, searchWords, unpackBody } from '../common/translate.ts';

/** Fields with a column of their own, or that only answers carry. */
const columns = [
  'id',
  'createdAt',
  'modifiedAt',
  'appId',
  'userId',
  'visibility',
  'version',
  'isStarred',
  'starCount',
] as const;
const notesBytesMax = 64 * 1024;

export interface DatasetRow {
  readonly key: number;
  readonly id: string;
  readonly body: Buffer;
  readonly visibility: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface NewDataset {
  readonly id: string;
  readonly body: Buffer;
  readonly words: string;
  readonly visibility: number;
  readonly isBookmark: boolean;
}

/** @throws Fault 11102 naming what cannot be stored. */
export function readDataset(wire: Dataset): NewDataset {
  const id = wire.id || newId();
  const trouble = idTrouble(id, 'dataset');
  if (trouble) throw commonFault.invalid(trouble);
  return { ...packed({ ...wire, id }), id, visibility: readVisibility(wire.visibility) };
}

function packed(dataset: Dataset): { body: Buffer; words: string; isBookmark: boolean } {
  if (Buffer.byteLength(dataset.notes) > notesBytesMax) {
    throw commonFault.invalid(`notes of dataset '${dataset.id}' is longer than ${notesBytesMax} bytes.`);
  }
  return {
    body: packBody(DatasetSchema, dataset, columns),
    words: searchWords(dataset.id, dataset.description, dataset.notes),
    isBookmark: dataset.bookmarkOrigin !== undefined,
  };
}

export interface DatasetPatch extends Omit<NewDataset, 'visibility'> {
  /** Undefined: stays. */
  readonly visibility: number | undefined;
}

type Sent = Record<string, unknown> | undefined;

/** Fields a patch may change; clients send sparse messages, so only what is set (or was in the JSON) changes. */
const patchable = [
  ['description', 'description'],
  ['notes', 'notes'],
  ['metadata', 'metadata'],
  ['defaultAnnotationFilter', 'default_annotation_filter'],
  ['defaultProcessingInfo', 'default_processing_info'],
  ['image', 'image'],
] as const;

/**
 * A dataset after a patch. `raw` is its JSON as it came, keys in proto spelling; undefined over gRPC.
 *
 * @throws Fault 11102 for a removal of anything but the image it has (SEMANTICS 4.1)
 */
export function patchedDataset(
  action: 'overwrite' | 'merge' | 'remove',
  row: DatasetRow,
  sent: Dataset,
  raw: Sent,
): DatasetPatch {
  const before: Dataset = { ...unpackBody(DatasetSchema, row.body), id: row.id };
  const after: Dataset = { ...before };
  if (action === 'remove') {
    if (!sent.image?.url || sent.image.url !== before.image?.url) {
      throw commonFault.invalid(
        `'remove' takes away the image of dataset '${row.id}' when image.url equals the present one.`,
      );
    }
    after.image = undefined;
    return { ...packed(after), id: row.id, visibility: undefined };
  }
  for (const [name, protoName] of patchable) {
    const value = sent[name];
    const isSaid = raw ? raw[protoName] !== undefined && raw[protoName] !== null : Boolean(value);
    if (isSaid) Object.assign(after, { [name]: value });
  }
  if (action === 'merge' && sent.metadata) {
    after.metadata = merged(before.metadata as Json, sent.metadata as Json) as Dataset['metadata'];
  }
  const visibility = sent.visibility ? readVisibility(sent.visibility) : undefined;
  return { ...packed(after), id: row.id, visibility };
}
