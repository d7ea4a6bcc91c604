import { create } from '@bufbuild/protobuf';
import {
  type BulkOperation,
  BulkOperationSchema,
  type Concept,
  DataSchema,
  type Operation,
  OperationSchema,
  type Search,
  SplitIntoDatasets_DatasetSplitMethod,
} from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble } from '#domain/ids.ts';
import type { Tx } from '#store/postgres/index.ts';
import { identifyLabels, labelTrouble, placeTrouble, settleLabels, userKeys } from '../annotations/index.ts';
import { findDatasetKeys } from '../datasets/index.ts';
import type { BulkParts } from './deps.ts';
import { bulkFault } from './faults.ts';

const inputIdsMax = 10_000;
const conceptsMax = 128;

type Operate = Exclude<Operation['operation'], { case: undefined }>;

/**
 * Checks an operation as sent and settles what it names: concepts get ids (missing ones are made where they are to be
 * added), users are known, datasets and inputs exist. Takes part in the caller's transaction.
 *
 * @returns what is to be stored, source and operation alone
 * @throws Fault 25404 naming the field
 */
export async function settleOperation(
  parts: BulkParts,
  tx: Tx,
  grant: AppGrant,
  sent: BulkOperation,
): Promise<BulkOperation> {
  const trouble = idTrouble(sent.id, 'bulk operation');
  if (trouble) throw bulkFault.invalid(trouble);
  const { operation, annotationOperation } = sent.operation ?? create(OperationSchema);
  if (annotationOperation.case) {
    if (operation.case) throw bulkFault.invalid('operation holds two operations; send one.');
    if (!sent.annotationSource.case)
      throw bulkFault.invalid(
        'annotation_source.annotation_search is missing; name the annotations to delete.',
      );
    checkSearch(parts, 'annotation_search', sent.annotationSource.value);
    return create(BulkOperationSchema, {
      annotationSource: sent.annotationSource,
      operation: { annotationOperation },
    });
  }
  if (!operation.case) throw bulkFault.invalid('operation is missing; say what is to be done.');
  if (sent.annotationSource.case)
    throw bulkFault.invalid('annotation_source goes with delete_annotations alone; send an input source.');
  await checkSource(parts, tx, grant, sent);
  return create(BulkOperationSchema, {
    inputSource: sent.inputSource,
    operation: { operation: await settle(tx, grant, operation) },
  });
}

async function checkSource(parts: BulkParts, tx: Tx, grant: AppGrant, { inputSource }: BulkOperation) {
  if (!inputSource.case) throw bulkFault.invalid('The source is missing: send input_ids, search or dataset.');
  if (inputSource.case === 'search') return checkSearch(parts, 'search', inputSource.value);
  if (inputSource.case === 'dataset') return checkDatasets(tx, grant, [['dataset.id', inputSource.value.id]]);
  const ids = inputSource.value.inputIds;
  if (ids.length === 0) throw bulkFault.invalid('input_ids.input_ids is empty.');
  if (ids.length > inputIdsMax)
    throw bulkFault.invalid(
      `input_ids.input_ids holds ${ids.length} ids; ${inputIdsMax} at most. Use a search or a dataset for more.`,
    );
  const found = new Set((await parts.findInputs(tx, grant, [...new Set(ids)])).map(({ id }) => id));
  const unknown = ids.find((id) => !found.has(id));
  if (unknown !== undefined)
    throw bulkFault.invalid(`input_ids.input_ids: there is no input '${unknown}' in this app.`);
}

/** A search without a query would be all there is, and is more likely a mistake. */
function checkSearch({ searches }: BulkParts, field: string, search: Search): void {
  if (!search.query) throw bulkFault.invalid(`${field}.query is missing; an empty one means everything.`);
  try {
    searches.check(search);
  } catch (thrown) {
    if (thrown instanceof Fault) throw bulkFault.invalid(`${field}: ${thrown.details}`);
    throw thrown;
  }
}

async function checkDatasets(tx: Tx, grant: AppGrant, named: readonly (readonly [string, string])[]) {
  const keys = await findDatasetKeys(
    tx,
    grant,
    named.map(([, id]) => id),
  );
  for (const [field, id] of named)
    if (!keys.has(id)) throw bulkFault.invalid(`${field}: there is no dataset '${id}' in this app.`);
}

async function settle(tx: Tx, grant: AppGrant, operation: Operate): Promise<Operate> {
  switch (operation.case) {
    case 'addConcepts': {
      const concepts = await settleConcepts(tx, grant, 'add_concepts', operation.value.concepts);
      return { case: 'addConcepts', value: { ...operation.value, concepts } };
    }
    case 'deleteConcepts': {
      const concepts = await settleConcepts(tx, grant, 'delete_concepts', operation.value.concepts);
      const userIds = await settleUsers(tx, grant, operation.value.userIds);
      return { case: 'deleteConcepts', value: { ...operation.value, concepts, userIds } };
    }
    case 'addMetadata':
    case 'deleteMetadata':
      if (Object.keys(operation.value.metadata ?? {}).length === 0)
        throw bulkFault.invalid(
          `${operation.case === 'addMetadata' ? 'add_metadata' : 'delete_metadata'}.metadata is empty.`,
        );
      return operation;
    case 'overwriteGeo': {
      const { geo } = operation.value;
      if (!geo?.geoPoint) throw bulkFault.invalid('overwrite_geo.geo.geo_point is missing.');
      const trouble = placeTrouble(geo);
      if (trouble) throw bulkFault.invalid(trouble.replace('data.', 'overwrite_geo.'));
      return operation;
    }
    case 'deleteGeo':
      return operation;
    case 'addToDataset':
      await checkDatasets(tx, grant, [['add_to_dataset.dataset_id', operation.value.datasetId]]);
      return operation;
    case 'deleteFromDataset':
      await checkDatasets(tx, grant, [['delete_from_dataset.dataset_id', operation.value.datasetId]]);
      return operation;
    case 'splitIntoDatasets':
      await checkSplits(tx, grant, operation.value);
      return operation;
  }
}

/** What is to be added is made where it is missing; what is to be taken away is not. */
async function settleConcepts(
  tx: Tx,
  grant: AppGrant,
  name: 'add_concepts' | 'delete_concepts',
  concepts: Concept[],
): Promise<Concept[]> {
  if (concepts.length === 0) throw bulkFault.invalid(`${name}.concepts is empty.`);
  if (concepts.length > conceptsMax)
    throw bulkFault.invalid(`${name}.concepts holds ${concepts.length} concepts; ${conceptsMax} at most.`);
  const data = create(DataSchema, { concepts });
  const trouble = labelTrouble(data);
  if (trouble) throw bulkFault.invalid(trouble.replace('data.', `${name}.`));
  const settle = name === 'add_concepts' ? settleLabels : identifyLabels;
  const [settled] = await settle(tx, grant, [data]);
  return settled?.concepts ?? [];
}

/** The caller alone where nobody is named (SEMANTICS 5.17). */
async function settleUsers(tx: Tx, { caller }: AppGrant, sent: readonly string[]): Promise<string[]> {
  const ids = sent.length === 0 ? [caller.userId] : sent.map((id) => (id === 'me' ? caller.userId : id));
  const known = await userKeys(tx, ids);
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined)
    throw bulkFault.invalid(`delete_concepts.user_ids: there is no user '${unknown}'.`);
  return ids;
}

async function checkSplits(
  tx: Tx,
  grant: AppGrant,
  split: Extract<Operate, { case: 'splitIntoDatasets' }>['value'],
) {
  const { datasetSplits, method } = split;
  const { NOT_SET: notSet, RANDOM_PERCENTAGE_SPLIT: byPercentage } = SplitIntoDatasets_DatasetSplitMethod;
  if (method !== notSet && method !== byPercentage)
    throw bulkFault.invalid(
      `split_into_datasets.method is ${method}; there is RANDOM_PERCENTAGE_SPLIT (1) alone.`,
    );
  if (datasetSplits.length === 0) throw bulkFault.invalid('split_into_datasets.dataset_splits is empty.');
  const field = (i: number, rest: string) => `split_into_datasets.dataset_splits[${i}].${rest}`;
  const named = datasetSplits.map(({ dataset }, i) => [field(i, 'dataset.id'), dataset?.id ?? ''] as const);
  await checkDatasets(tx, grant, named);
  if (new Set(named.map(([, id]) => id)).size < named.length)
    throw bulkFault.invalid('split_into_datasets.dataset_splits names a dataset twice.');
  const percentages = datasetSplits.map(({ methodInfo }) => methodInfo.value ?? 0);
  const wrong = percentages.findIndex((percentage) => !(percentage >= 1 && percentage <= 100));
  if (wrong >= 0)
    throw bulkFault.invalid(`${field(wrong, 'percentage')} is ${percentages[wrong]}; it goes from 1 to 100.`);
  const sum = percentages.reduce((total, percentage) => total + percentage, 0);
  if (sum > 100) throw bulkFault.invalid(`The percentages of dataset_splits add up to ${sum}; 100 at most.`);
}
