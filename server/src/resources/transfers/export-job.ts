import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { GetDatasetRequestSchema } from '@fovea/contract';
import {
  type ClassInfo,
  type Dataset,
  formatNamed,
  type ImageRecord,
  problemLog,
  writeDataset,
} from '@fovea/formats';
import { jobCall } from '#domain/call.ts';
import { newId } from '#domain/ids.ts';
import { readMask } from '#engine/masks/index.ts';
import { showAnnotations } from '../annotations/index.ts';
import { putZip } from '../common/zip-object.ts';
import {
  findDatasetKeys,
  type LeftOut,
  openVersion,
  type RecordTools,
  recordsOf,
  versionState,
} from '../datasets/index.ts';
import { classesOf, withClasses } from './classes.ts';
import { type ImportRun, TransferCancelled, TransferRefused } from './import-job.ts';
import { annotationKeysOf, membersAfter, takeStep } from './store.ts';
import { noCounts } from './transfer.ts';

const inputsPerStep = 64;
const stepsMs = 1_000;

/**
 * Writes the archive of a dataset as it is now, or of one of its versions, into the object store; begun anew it makes
 * the same one.
 *
 * @returns 'waiting' while the version is still being made
 */
export async function runExport(run: ImportRun): Promise<'waiting' | 'done'> {
  const { parts, grant, row, signal } = run;
  const format = formatNamed(row.format);
  if (!format) throw new TransferRefused(`There is no format '${row.format}'.`);
  const leftOut: LeftOut = { inputs: 0, ofVideos: 0 };
  const from = row.versionId === '' ? await openLive(run, leftOut) : await openKept(run, leftOut);
  if (from === 'waiting') return from;
  const objectKey = `transfers/${grant.appKey}/${newId()}.zip`;
  const log = problemLog();
  let shownAt = Date.now();
  let written = 0;
  const source: Dataset = {
    classes: withClasses(await datasetClasses(run), from.classes),
    async *records() {
      for await (const record of from.records()) {
        yield record;
        written += 1;
        if (Date.now() - shownAt < stepsMs) continue;
        shownAt = Date.now();
        if (!(await takeStep(parts.db, grant, row.key, { counts: { ...noCounts, written } })))
          throw new TransferCancelled();
      }
    },
  };
  const workDir = join(parts.workDir, String(row.key));
  const { made, sizeBytes } = await putZip({ objects: parts.objects, objectKey, workDir, signal }, (zip) =>
    writeDataset(source, format, zip, { report: log.report, withImages: row.withImages }),
  );
  const isKept = await takeStep(parts.db, grant, row.key, {
    counts: { ...noCounts, images: made.counts.images, written },
    report: {
      ...made.counts,
      losses: { [format.id]: made.losses },
      inputs_left_out: leftOut.inputs,
      said_of_whole_videos: leftOut.ofVideos,
    },
    problems: log.kept,
    objectKey,
    sizeBytes,
  });
  if (!isKept) await parts.objects.delete(objectKey);
  return 'done';
}

interface Opened {
  readonly classes: readonly ClassInfo[];
  records(): AsyncIterable<ImageRecord>;
}

const toolsOf = ({ parts, signal }: ImportRun): RecordTools => ({ readMask, media: parts.media, signal });

/** The classes that the dataset remembers, in the order that formats number them by. */
async function datasetClasses({ parts, grant, row, signal }: ImportRun): Promise<ClassInfo[]> {
  const call = jobCall('GetDataset', grant, signal);
  const request = create(GetDatasetRequestSchema, { datasetId: row.datasetId });
  const { dataset } = await parts.calls.getDataset(request, call);
  return classesOf(dataset as never);
}

/** A version as it was made. */
async function openKept(run: ImportRun, leftOut: LeftOut): Promise<Opened | 'waiting'> {
  const { parts, grant, row } = run;
  const state = await versionState(parts.db, grant, row.datasetId, row.versionId);
  if (!state)
    throw new TransferRefused(
      `There is no version '${row.versionId}' of the dataset '${row.datasetId}' any more.`,
    );
  if (state.is === 'failed') throw new TransferRefused(`The version '${row.versionId}' failed: ${state.why}`);
  if (state.is === 'being made') return 'waiting';
  return openVersion(parts, grant, state.key, toolsOf(run), leftOut);
}

/** The dataset as it is while it is read. */
async function openLive(run: ImportRun, leftOut: LeftOut): Promise<Opened> {
  const { parts, grant, row } = run;
  const datasetKey = (await findDatasetKeys(parts.db, grant, [row.datasetId])).get(row.datasetId);
  if (datasetKey === undefined) throw new TransferRefused(`There is no dataset '${row.datasetId}' any more.`);
  return { classes: [], records: () => liveRecords(run, datasetKey, leftOut) };
}

async function* liveRecords(
  run: ImportRun,
  datasetKey: number,
  leftOut: LeftOut,
): AsyncGenerator<ImageRecord> {
  const { parts, grant, signal } = run;
  for (let after = 0; ; ) {
    signal.throwIfAborted();
    const members = await membersAfter(parts.db, grant, datasetKey, after, inputsPerStep);
    if (members.length === 0) return;
    after = (members.at(-1) as { key: number }).key;
    const memberOf = new Map(members.map((member) => [member.id, member]));
    const inputs = await parts.showInputs(
      grant,
      members.map(({ key }) => key),
    );
    for (const { id, data } of inputs) {
      const member = memberOf.get(id);
      if (!member || !data) continue;
      // Masks are large: the annotations of one input at a time.
      const wires = await showAnnotations(
        parts.db,
        grant,
        await annotationKeysOf(parts.db, grant, [member.key]),
      );
      const said = wires.flatMap((wire) =>
        wire.data
          ? [{ id: wire.id, inputLevel: wire.inputLevel, info: wire.annotationInfo, data: wire.data }]
          : [],
      );
      const open = () => parts.openMedium(grant, member.key);
      const known = { id, kind: member.kind, medium: data, metadata: data.metadata, said, open };
      yield* recordsOf(known, toolsOf(run), leftOut);
    }
  }
}
