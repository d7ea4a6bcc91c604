import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { create } from '@bufbuild/protobuf';
import { GetDatasetRequestSchema } from '@fovea/contract';
import { type Dataset, formatNamed, type ImageRecord, problemLog, writeDataset, zipTo } from '@fovea/formats';
import { newId } from '#domain/ids.ts';
import { showAnnotations } from '../annotations/index.ts';
import { findDatasetKeys } from '../datasets/index.ts';
import { callFor } from './call.ts';
import { classesOf } from './classes.ts';
import { type ImportRun, TransferCancelled, TransferRefused } from './import-job.ts';
import { openWorkFolder } from './spool.ts';
import { annotationKeysOf, picturesAfter, takeStep } from './store.ts';
import { noCounts } from './transfer.ts';
import { fromWire, recordOf } from './translate.ts';

const inputsPerStep = 64;
const stepsMs = 1_000;

/** Writes the archive of a dataset as it is now into the object store; begun anew it makes the same one. */
export async function runExport(run: ImportRun): Promise<void> {
  const { parts, grant, row, signal } = run;
  const format = formatNamed(row.format);
  const datasetKey = (await findDatasetKeys(parts.db, grant, [row.datasetId])).get(row.datasetId);
  if (!format) throw new TransferRefused(`There is no format '${row.format}'.`);
  if (datasetKey === undefined) throw new TransferRefused(`There is no dataset '${row.datasetId}' any more.`);
  const call = callFor('GetDataset', grant, signal);
  const { dataset } = await parts.calls.getDataset(
    create(GetDatasetRequestSchema, { datasetId: row.datasetId }),
    call,
  );
  const folder = await openWorkFolder(join(parts.workDir, String(row.key)));
  const objectKey = `transfers/${grant.appKey}/${newId()}.zip`;
  const out = new PassThrough({ highWaterMark: 1 << 20 });
  const stored = parts.objects.put(objectKey, out);
  stored.catch(() => {});
  const log = problemLog();
  let shownAt = Date.now();
  let written = 0;
  try {
    const zip = zipTo(async (bytes) => {
      signal.throwIfAborted();
      if (!out.write(bytes)) await Promise.race([once(out, 'drain', { signal }), stored]);
    }, folder.spool);
    const source: Dataset = {
      classes: classesOf(dataset as never),
      async *records() {
        for await (const record of recordsOf(run, datasetKey)) {
          yield record;
          written += 1;
          if (Date.now() - shownAt < stepsMs) continue;
          shownAt = Date.now();
          if (!(await takeStep(parts.db, grant, row.key, { counts: { ...noCounts, written } })))
            throw new TransferCancelled();
        }
      },
    };
    const result = await writeDataset(source, format, zip, {
      report: log.report,
      withImages: row.withImages,
    });
    await zip.finish();
    out.end();
    const { sizeBytes } = await stored;
    const isKept = await takeStep(parts.db, grant, row.key, {
      counts: { ...noCounts, images: result.counts.images, written },
      report: { ...result.counts, losses: { [format.id]: result.losses } },
      problems: log.kept,
      objectKey,
      sizeBytes,
    });
    if (!isKept) await parts.objects.delete(objectKey);
  } catch (error) {
    out.destroy(error as Error);
    throw error;
  } finally {
    await folder.close();
  }
}

/** The pictures of a dataset with all that is said of them, in the order in which they came. */
async function* recordsOf(
  { parts, grant, signal }: ImportRun,
  datasetKey: number,
): AsyncGenerator<ImageRecord> {
  for (let after = 0; ; ) {
    signal.throwIfAborted();
    const keys = await picturesAfter(parts.db, grant, datasetKey, after, inputsPerStep);
    if (keys.length === 0) return;
    after = keys.at(-1) as number;
    yield* recordsOfKeys(parts, grant, keys);
  }
}

async function* recordsOfKeys(
  parts: ImportRun['parts'],
  grant: ImportRun['grant'],
  keys: readonly number[],
): AsyncGenerator<ImageRecord> {
  const [inputs, sizes] = [
    await parts.showInputs(grant, keys),
    await parts.pictureSizes(parts.db, grant, keys),
  ];
  const found = await parts.findInputs(
    parts.db,
    grant,
    inputs.map(({ id }) => id),
  );
  const keyOf = new Map(found.map(({ id, key }) => [id, key]));
  for (const input of inputs) {
    const key = keyOf.get(input.id);
    if (key === undefined) continue;
    const size = sizes.get(key);
    // Masks are large: the annotations of one picture at a time.
    const wires = await showAnnotations(parts.db, grant, await annotationKeysOf(parts.db, grant, [key]));
    const annotations: ImageRecord['annotations'][number][] = [];
    for (const wire of wires) {
      const isInputLevel = wire.data?.regions.length === 0 && wire.id === input.id;
      annotations.push(
        ...(await fromWire(wire, size ?? { width: 1, height: 1 }, parts.readMask, isInputLevel)),
      );
    }
    yield {
      ...recordOf(input as never, size, endingOf(input.data?.image?.imageInfo?.format)),
      annotations,
      async *bytes() {
        yield await parts.readBytes(grant, key);
      },
    };
  }
}

const endings: Readonly<Record<string, string>> = {
  JPEG: '.jpg',
  PNG: '.png',
  WEBP: '.webp',
  GIF: '.gif',
  BMP: '.bmp',
  TIFF: '.tiff',
  AVIF: '.avif',
};
const endingOf = (format: string | undefined): string => endings[(format ?? '').toUpperCase()] ?? '.jpg';
