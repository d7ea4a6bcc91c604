import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { type Data, type InputBatch, InputBatchSchema, InputSchema } from '@fovea/contract';
import { coco, writeDataset, type ZipWriter } from '@fovea/formats';
import { nameConcepts } from '../../annotations/index.ts';
import { inputSteps, type KeptAnnotation, type KeptInput, splitsOf, vectorsOf } from '../version-rows.ts';
import { mergedData } from './merged.ts';
import type { LeftOut } from './records.ts';
import { classesOfVersion, recordsOfVersion, type VersionSource } from './version-records.ts';

/** DatasetVersionExportFormat. */
export const exportFormat = { protobuf: 1, coco: 2, json: 3 } as const;

/** The first entry of the contract's own formats; readers compare it (SEMANTICS 5.8). */
const mimetypes: Record<number, string> = {
  [exportFormat.protobuf]: 'application/x.clarifai-data+protobuf',
  [exportFormat.json]: 'application/x.clarifai-data+json',
};

export interface ArchiveSource extends VersionSource {
  /** Embedders whose vectors come along. */
  readonly embedModelVersionIds: readonly string[];
}

const inputsPerEntry = 128;

/** The folder of a split; inputs that name none are in `all`, as the official reader calls it. */
const folderOf = (split: string): string =>
  split.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^\.+/, '') || 'all';

/**
 * Fills an archive with a version, file by file.
 *
 * The contract's own formats hold InputBatch messages named `SPLIT/inputs_NUMBER_nCOUNT`; readers sum up the counts.
 * COCO is written as for anybody, without the pictures; each says where it can be had.
 *
 * @returns what the format has no place for
 */
export async function fillArchive(source: ArchiveSource, format: number, zip: ZipWriter): Promise<LeftOut> {
  const leftOut: LeftOut = { inputs: 0, ofVideos: 0 };
  if (format === exportFormat.coco) {
    const dataset = {
      classes: await classesOfVersion(source.db, source.versionKey),
      records: () => recordsOfVersion(source, leftOut),
    };
    await writeDataset(dataset, coco, zip, { report: () => {}, withImages: false });
    return leftOut;
  }
  await zip.add('mimetype', [Buffer.from(mimetypes[format] as string)], true);
  const write = format === exportFormat.json ? asJson : asProtobuf;
  for (const split of await splitsOf(source.db, source.versionKey)) {
    let number = 0;
    for await (const step of inputSteps(source.db, source.versionKey, split, inputsPerEntry)) {
      source.tools.signal.throwIfAborted();
      const inputs = await showInputs(source, step);
      const place = String(number++).padStart(6, '0');
      const name = `${folderOf(split)}/inputs_${place}_n${inputs.length}`;
      await zip.add(name, [write(create(InputBatchSchema, { inputs }))]);
    }
  }
  return leftOut;
}

const asProtobuf = (batch: InputBatch): Buffer => Buffer.from(toBinary(InputBatchSchema, batch));
const asJson = (batch: InputBatch): Buffer =>
  Buffer.from(
    JSON.stringify(toJson(InputBatchSchema, batch, { useProtoFieldName: true, enumAsInteger: true })),
  );

type Step = readonly { input: KeptInput; annotations: readonly KeptAnnotation[] }[];

/** Nothing but `id` and `data` is set, as the contract has it. */
async function showInputs(source: ArchiveSource, step: Step) {
  const vectors = await vectorsIn(source, step);
  const datas = step.map(({ input, annotations }) =>
    mergedData(source.showMedium(input), annotations, vectors),
  );
  const named = await nameConcepts(source.db, source.grant, datas);
  return step.map(({ input }, i) => create(InputSchema, { id: input.id, data: named[i] as Data }));
}

async function vectorsIn(
  { db, embedModelVersionIds }: ArchiveSource,
  step: Step,
): Promise<Map<number, Buffer[]>> {
  const byAnnotation = new Map<number, Buffer[]>();
  if (embedModelVersionIds.length === 0) return byAnnotation;
  const keys = step.flatMap(({ annotations }) => annotations.map(({ annotationKey }) => annotationKey));
  for (const { annotationKey, vector } of await vectorsOf(db, keys, embedModelVersionIds))
    byAnnotation.set(annotationKey, [...(byAnnotation.get(annotationKey) ?? []), vector]);
  return byAnnotation;
}
