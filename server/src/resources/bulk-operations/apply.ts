import { create } from '@bufbuild/protobuf';
import { type BulkOperation, DataSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import {
  type DataEdit,
  dropAnnotations,
  type EditTarget,
  editAnnotations,
  removeLabels,
  userKeys,
  withLabels,
} from '../annotations/index.ts';
import { deleteMemberships, holdDatasets, holdMembers, insertMemberships } from '../datasets/index.ts';
import { bulkFault } from './faults.ts';
import { type Chunk, type TargetKind, withMetadata, withoutMetadata } from './operation.ts';

/**
 * Does an operation on one chunk of inputs or annotations. Done twice it changes nothing the second time; what is
 * gone by now is left out.
 *
 * @returns how many rows changed
 * @throws Fault 25404 when a dataset is gone
 */
export async function applyTo(
  tx: Db,
  grant: AppGrant,
  { operation: sent }: BulkOperation,
  kind: TargetKind,
  { keys, datasetId }: Chunk,
): Promise<number> {
  if (sent?.annotationOperation.case) return dropAnnotations(tx, grant, keys);
  const operation = sent?.operation;
  const edit = (change: DataEdit, target: EditTarget = { inputLevelOf: keys }) =>
    editAnnotations(tx, grant, target, change);
  switch (operation?.case) {
    case 'addConcepts': {
      const { concepts } = operation.value;
      const target = kind === 'annotation' ? { keys } : { inputLevelOf: keys };
      return edit((data) => withLabels(data, concepts), target);
    }
    case 'deleteConcepts': {
      const users = await userKeys(tx, operation.value.userIds);
      return removeLabels(tx, grant, kind === 'annotation' ? { keys } : { inputKeys: keys }, {
        conceptIds: operation.value.concepts.map(({ id }) => id),
        userKeys: [...users.values()],
      });
    }
    case 'addMetadata': {
      const { metadata = {} } = operation.value;
      return edit((data) => ({ ...data, metadata: withMetadata(data.metadata, metadata) }));
    }
    case 'deleteMetadata': {
      const { metadata = {} } = operation.value;
      return edit((data) => data.metadata && { ...data, metadata: withoutMetadata(data.metadata, metadata) });
    }
    case 'overwriteGeo':
      return edit((data) => ({ ...data, geo: operation.value.geo }));
    case 'deleteGeo':
      return edit((data) => data.geo && { ...data, geo: create(DataSchema).geo });
    case 'addToDataset':
      return addMembers(tx, grant, operation.value.datasetId, keys);
    case 'splitIntoDatasets':
      return addMembers(tx, grant, datasetId, keys);
    case 'deleteFromDataset':
      return deleteMemberships(tx, grant, await heldDataset(tx, grant, operation.value.datasetId), keys);
    default:
      throw bulkFault.invalid('operation is missing.');
  }
}

async function addMembers(
  tx: Db,
  grant: AppGrant,
  datasetId: string,
  keys: readonly number[],
): Promise<number> {
  const datasetKey = await heldDataset(tx, grant, datasetId);
  const held = await holdMembers(tx, grant, keys);
  const pairs = [...held].map((inputKey) => ({ datasetKey, inputKey }));
  return (await insertMemberships(tx, grant, pairs)).length;
}

async function heldDataset(tx: Db, grant: AppGrant, datasetId: string): Promise<number> {
  const key = (await holdDatasets(tx, grant, [datasetId])).get(datasetId);
  if (key === undefined) throw bulkFault.invalid(`The dataset '${datasetId}' was deleted meanwhile.`);
  return key;
}
