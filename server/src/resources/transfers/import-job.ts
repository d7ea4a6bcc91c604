import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  GetDatasetRequestSchema,
  type Input,
  PackedReply,
  PatchDatasetsRequestSchema,
  PatchInputsRequestSchema,
  PostDatasetInputsRequestSchema,
  PostDatasetsRequestSchema,
  PostInputsRequestSchema,
  StatusCode,
} from '@fovea/contract';
import {
  type ClassInfo,
  concat,
  type Dataset,
  detectFormat,
  type FileTree,
  type Format,
  formatNamed,
  formats,
  type ImageRecord,
  inspect,
  listTree,
  openZip,
  type Problem,
  problemLog,
  type RandomFile,
  ZipBroken,
} from '@fovea/formats';
import { breathing } from '#domain/breath.ts';
import { jobCall } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { openWorkFolder } from '../common/work-folder.ts';
import { findUpload, openUpload, type UploadContent } from '../uploads/index.ts';
import { batches, type Item, isWholeLabel, portionsOf, type Said } from './batches.ts';
import { classesOf, withClasses } from './classes.ts';
import type { TransferParts } from './deps.ts';
import { takeStep } from './store.ts';
import { type Cursor, conceptIdOf, noCounts, type TransferCounts, type TransferRow } from './transfer.ts';
import { metadataOf, ownHolds, toPlainBox, toWire, wireOfBox } from './translate.ts';

/** What ends a transfer for good, in words for whoever asked for it. */
export class TransferRefused extends Error {
  override name = 'TransferRefused';
}

const openStatuses = new Set([30001, 30003]);
const processed = 30000;

export interface ImportRun {
  readonly parts: TransferParts;
  readonly grant: AppGrant;
  readonly row: TransferRow;
  readonly signal: AbortSignal;
}

/**
 * Goes on with an import where its cursor stands.
 *
 * @returns 'waiting' when inputs must be processed before it can go on
 * @throws TransferRefused when it cannot be done at all
 */
export async function runImport(run: ImportRun): Promise<'done' | 'waiting'> {
  const { parts, grant, row } = run;
  const upload = await findUpload(parts.db, grant, row.uploadId);
  const content = upload && (await openUpload(parts, grant, upload.key));
  if (!content)
    throw new TransferRefused(
      `The upload '${row.uploadId}' is not complete, or is no longer there; upload the archive again.`,
    );
  const folder = await openWorkFolder(join(parts.workDir, String(row.key)));
  try {
    const tree = await openZip(fileOf(content), { spool: folder.spool }).catch((thrown: unknown) => {
      throw thrown instanceof ZipBroken
        ? new TransferRefused(`${thrown.message}. Send a ZIP archive.`)
        : thrown;
    });
    return await runPhases(run, tree);
  } finally {
    await folder.close();
  }
}

/** An upload as a file that can be read anywhere. */
const fileOf = (content: UploadContent): RandomFile => ({
  size: content.sizeBytes,
  async read(start, end) {
    const parts: Uint8Array[] = [];
    const [from, to] = [Math.min(start, content.sizeBytes), Math.min(end, content.sizeBytes)];
    if (from < to) for await (const part of content.read(from, to)) parts.push(part as Buffer);
    return concat(parts);
  },
  close: async () => {},
});

interface Progress {
  cursor: Cursor;
  counts: TransferCounts;
  /** Whether pictures as wholes may have labels, which their inputs are made with. */
  hasLabels: boolean;
}

/** What an earlier look at the set found; one that did not get that far found everything possible. */
const mayHaveLabels = ({ byKind }: { readonly byKind?: unknown }): boolean =>
  byKind === undefined || ((byKind as Partial<Record<string, number>>).label ?? 0) > 0;

async function runPhases(run: ImportRun, tree: FileTree): Promise<'done' | 'waiting'> {
  const { row } = run;
  const progress: Progress = {
    cursor: row.cursor,
    counts: { ...noCounts, ...row.counts },
    hasLabels: mayHaveLabels(row.report),
  };
  const log = problemLog();
  const listing = await listTree(tree, log.report);
  const format = row.format ? formatNamed(row.format) : await detectFormat(listing);
  if (!format) {
    const known = formats.map(({ id }) => id).join(', ');
    throw new TransferRefused(
      `Nothing in the archive looks like a format that is known (${known}); name one as "format", or send pictures in folders by class.`,
    );
  }
  const dataset = await format.read(listing, { report: log.report });
  if ((progress.cursor.phase ?? 'look') === 'look') {
    await look(run, dataset, format, log, progress);
    if (row.dryRun) return 'done';
  }
  if (progress.cursor.phase === 'inputs') await addInputs(run, dataset, progress);
  return progress.cursor.phase === 'annotations' ? addAnnotations(run, dataset, progress) : 'done';
}

/** Stops where the transfer was cancelled or deleted meanwhile. */
async function step(
  { parts, grant, row, signal }: ImportRun,
  change: Parameters<typeof takeStep>[3],
): Promise<void> {
  signal.throwIfAborted();
  if (!(await takeStep(parts.db, grant, row.key, change))) throw new TransferCancelled();
}

export class TransferCancelled extends Error {
  override name = 'TransferCancelled';
}

async function look(
  run: ImportRun,
  dataset: Dataset,
  format: Format,
  log: ReturnType<typeof problemLog>,
  progress: Progress,
) {
  const found = await inspect(dataset, [...formats, { id: 'fovea', holds: ownHolds }]);
  const { errors, warnings } = log.counts;
  progress.counts = { ...progress.counts, images: found.images };
  progress.hasLabels = mayHaveLabels(found);
  progress.cursor = { phase: 'inputs', done: 0 };
  await step(run, {
    format: format.id,
    report: { ...found, errors, warnings },
    problems: log.kept,
    counts: progress.counts,
    cursor: progress.cursor,
  });
  if (run.row.dryRun) return;
  await ensureDataset(run, dataset.classes, Object.keys(found.byClass));
}

async function ensureDataset(
  { parts, grant, row, signal }: ImportRun,
  classes: readonly ClassInfo[],
  met: readonly string[],
) {
  const id = row.datasetId;
  const call = jobCall('PostDatasets', grant, signal);
  await parts.calls
    .postDatasets(create(PostDatasetsRequestSchema, { datasets: [{ id }] }), call)
    .catch(unless('bad_request'));
  const { dataset } = await parts.calls.getDataset(create(GetDatasetRequestSchema, { datasetId: id }), call);
  const all = withClasses(classesOf(dataset as never), [...classes, ...met.map((name) => ({ name }))]);
  const metadata = { ...(dataset as { metadata?: object } | undefined)?.metadata, classes: all as never };
  await parts.calls.patchDatasets(
    create(PatchDatasetsRequestSchema, { action: 'overwrite', datasets: [{ id, metadata }] }),
    call,
  );
}

const unless = (kind: string) => (thrown: unknown) => {
  if (!(thrown instanceof Fault && thrown.kind === kind)) throw thrown;
};

// Inputs ----------------------------------------------------------------------------------------------------------

async function addInputs(run: ImportRun, dataset: Dataset, progress: Progress): Promise<void> {
  const wanted = { datasetId: run.row.datasetId, from: progress.cursor.done ?? 0, withBytes: true };
  for await (const batch of batches(dataset, { ...wanted, withAnnotations: progress.hasLabels })) {
    await addBatch(run, batch, progress);
  }
  progress.cursor = { phase: 'annotations', done: 0 };
  await step(run, { cursor: progress.cursor });
}

async function addBatch(run: ImportRun, batch: readonly Item[], progress: Progress): Promise<void> {
  const { parts, grant, row, signal } = run;
  const ids = batch.map(({ id }) => id);
  const done = progress.cursor.done ?? 0;
  const there = async () => new Set((await parts.findInputs(parts.db, grant, ids)).map(({ id }) => id));
  // Known before anything is made: a batch that was cut short finds out what of it is its own.
  let fresh = progress.cursor.fresh;
  if (!fresh) {
    const present = await there();
    fresh = ids.filter((id) => !present.has(id));
    progress.cursor = { ...progress.cursor, fresh };
    await step(run, { cursor: progress.cursor });
  }
  const own = new Set(fresh);
  const inputs = batch
    .filter(({ id, bytes }) => own.has(id) && bytes)
    .map((item) => inputOf(item, row.datasetId));
  const reply =
    inputs.length === 0
      ? undefined
      : await parts.calls.postInputs(
          create(PostInputsRequestSchema, { inputs }),
          jobCall('PostInputs', grant, signal),
        );
  const present = await there();
  await joinDataset(
    run,
    batch.filter(({ id }) => present.has(id) && !own.has(id)),
  );
  const answers = reply instanceof PackedReply ? undefined : (reply?.inputs as Input[] | undefined);
  const why = new Map(answers?.map(({ id, status }) => [id, status?.details || status?.description]));
  const failed = batch.filter(({ id }) => !present.has(id));
  progress.counts = {
    ...progress.counts,
    inputsAdded: progress.counts.inputsAdded + fresh.filter((id) => present.has(id)).length,
    inputsPresent: progress.counts.inputsPresent + ids.filter((id) => present.has(id) && !own.has(id)).length,
    inputsFailed: progress.counts.inputsFailed + failed.length,
  };
  progress.cursor = { phase: 'inputs', done: done + batch.length };
  const problems = failed.map(({ id, record, bytes }) =>
    failure(
      record.path,
      bytes ? (why.get(id) ?? 'was refused') : 'its file is missing, broken, or too large',
    ),
  );
  await step(run, { cursor: progress.cursor, counts: progress.counts, problems });
}

const failure = (path: string, message: string): Problem => ({
  severity: 'error',
  code: 'broken-item',
  path,
  message,
});

function inputOf(
  { id, record, bytes }: Item,
  datasetId: string,
): NonNullable<MessageInitShape<typeof PostInputsRequestSchema>['inputs']>[number] {
  const concepts = wholeLabels(record).map((label) => ({ id: conceptIdOf(label), name: label, value: 1 }));
  return {
    id,
    datasetIds: [datasetId],
    data: {
      image: { base64: bytes as Uint8Array<ArrayBuffer>, allowDuplicateUrl: true },
      concepts,
      metadata: metadataOf(record) as never,
    },
  };
}

const wholeLabels = (record: ImageRecord): string[] => [
  ...new Set(record.annotations.filter(isWholeLabel).map(({ label }) => label as string)),
];

/** Inputs of an earlier import: in the dataset, and with the labels that the set gives them. */
async function joinDataset({ parts, grant, row, signal }: ImportRun, items: readonly Item[]): Promise<void> {
  if (items.length === 0) return;
  const datasetInputs = items.map(({ id }) => ({ input: { id } }));
  await parts.calls.postDatasetInputs(
    create(PostDatasetInputsRequestSchema, { datasetId: row.datasetId, datasetInputs }),
    jobCall('PostDatasetInputs', grant, signal),
  );
  const labelled = items.filter(({ record }) => wholeLabels(record).length > 0);
  if (labelled.length === 0) return;
  const inputs = labelled.map(({ id, record }) => ({
    id,
    data: {
      concepts: wholeLabels(record).map((label) => ({ id: conceptIdOf(label), name: label, value: 1 })),
    },
  }));
  await parts.calls.patchInputs(
    create(PatchInputsRequestSchema, { action: 'merge', inputs }),
    jobCall('PatchInputs', grant, signal),
  );
}

// Annotations -----------------------------------------------------------------------------------------------------

async function addAnnotations(
  run: ImportRun,
  dataset: Dataset,
  progress: Progress,
): Promise<'done' | 'waiting'> {
  const { parts, grant, row } = run;
  const breathe = breathing();
  const wanted = { datasetId: row.datasetId, from: progress.cursor.done ?? 0, withBytes: false };
  for await (const batch of batches(dataset, { ...wanted, withAnnotations: true })) {
    const found = await parts.findInputs(
      parts.db,
      grant,
      batch.map(({ id }) => id),
    );
    if (found.some(({ statusCode }) => openStatuses.has(statusCode))) return 'waiting';
    const sizes = await parts.pictureSizes(
      parts.db,
      grant,
      found.map(({ key }) => key),
    );
    const inputs = new Map(found.map((input) => [input.id, { ...input, size: sizes.get(input.key) }]));
    const problems: Problem[] = [];
    let failed = 0;
    const sayings: Said[] = [];
    for (const { id, record } of batch) {
      await breathe();
      const input = inputs.get(id);
      const said = record.annotations.filter((one) => !isWholeLabel(one));
      const size =
        record.width && record.height ? { width: record.width, height: record.height } : input?.size;
      if (!input || input.statusCode !== processed || (!size && said.length > 0)) {
        if (input)
          problems.push(
            failure(
              record.path,
              `could not be processed (status ${input.statusCode}), so its ${said.length} annotations have no picture`,
            ),
          );
        failed += said.length;
        continue;
      }
      for (const [i, one] of said.entries()) {
        const box = size && toPlainBox(one, id, size, i);
        const wire = size && !box && (await toWire(one, id, size, i));
        if (box) sayings.push({ box, path: record.path });
        else if (wire) sayings.push({ wire, path: record.path });
        else {
          failed += 1;
          problems.push(failure(record.path, `annotation ${one.id ?? i + 1} has no part inside the picture`));
        }
      }
    }
    let added = 0;
    for (const some of portionsOf(sayings)) {
      run.signal.throwIfAborted();
      const outcomes = await addPortion(run, some);
      for (const [i, { path, wire, box }] of some.entries()) {
        const outcome = outcomes[i];
        // One that is there already is one of ours, from before a restart or an earlier import.
        if (!(outcome instanceof Fault) || outcome.code === StatusCode.DATABASE_DUPLICATE_KEY) added += 1;
        else {
          failed += 1;
          problems.push(failure(path, `annotation ${(box ?? wire).id}: ${outcome.details}`));
        }
      }
    }
    progress.counts = {
      ...progress.counts,
      annotationsAdded: progress.counts.annotationsAdded + added,
      annotationsFailed: progress.counts.annotationsFailed + failed,
    };
    progress.cursor = { phase: 'annotations', done: (progress.cursor.done ?? 0) + batch.length };
    await step(run, { cursor: progress.cursor, counts: progress.counts, problems });
  }
  return 'done';
}

/** In the order of the set. Where something else stands among the boxes, they go with it, so that they stay in order. */
function addPortion({ parts, grant }: ImportRun, portion: readonly Said[]) {
  const boxes = portion.flatMap(({ box }) => box ?? []);
  return boxes.length === portion.length
    ? parts.addBoxes(grant, boxes)
    : parts.addAnnotations(
        grant,
        portion.map(({ box, wire }) => (box ? wireOfBox(box) : wire)),
      );
}
