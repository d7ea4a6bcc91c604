import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { type Data, type InputBatch, InputBatchSchema, InputSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Database } from '#store/postgres/index.ts';
import { nameConcepts } from '../../annotations/index.ts';
import {
  conceptsOfVersion,
  inputSteps,
  type KeptAnnotation,
  type KeptInput,
  splitsOf,
  vectorsOf,
} from '../version-rows.ts';
import { type CocoItem, cocoText } from './coco.ts';
import { mergedData } from './merged.ts';
import type { ZipEntry } from './zip.ts';

/** DatasetVersionExportFormat. */
export const exportFormat = { protobuf: 1, coco: 2, json: 3 } as const;

/** The first entry of the contract's own formats; readers compare it (SEMANTICS 5.8). */
const mimetypes: Record<number, string> = {
  [exportFormat.protobuf]: 'application/x.clarifai-data+protobuf',
  [exportFormat.json]: 'application/x.clarifai-data+json',
};

export interface ArchiveSource {
  readonly db: Database;
  readonly grant: AppGrant;
  readonly versionKey: number;
  /** Embedders whose vectors come along. */
  readonly embedModelVersionIds: readonly string[];
  /** The medium of a kept input, with links that begin with where whoever asked finds this server. */
  readonly showMedium: (input: KeptInput) => Data;
  readonly signal: AbortSignal;
  /** Counts what the format has no place for. */
  readonly lost: { frameRegions: number; otherInputs: number };
}

const inputsPerEntry = 128;

/** The folder of a split; inputs that name none are in `all`, as the official reader calls it. */
const folderOf = (split: string): string =>
  split.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^\.+/, '') || 'all';

/**
 * The files of an archive of a version, one after the other, each made when it is its turn.
 *
 * The contract's own formats hold InputBatch messages named `SPLIT/inputs_NUMBER_nCOUNT`; readers sum up the counts.
 */
export async function* archiveOf(source: ArchiveSource, format: number): AsyncGenerator<ZipEntry> {
  const splits = await splitsOf(source.db, source.versionKey);
  if (format === exportFormat.coco) {
    for (const split of splits)
      yield { name: `${folderOf(split)}/annotations.json`, body: cocoText(await cocoFile(source, split)) };
    return;
  }
  yield { name: 'mimetype', body: Buffer.from(mimetypes[format] as string), stored: true };
  const write = format === exportFormat.json ? asJson : asProtobuf;
  for (const split of splits) {
    let number = 0;
    for await (const step of inputSteps(source.db, source.versionKey, split, inputsPerEntry)) {
      source.signal.throwIfAborted();
      const inputs = await showInputs(source, step);
      const place = String(number++).padStart(6, '0');
      yield {
        name: `${folderOf(split)}/inputs_${place}_n${inputs.length}`,
        body: write(create(InputBatchSchema, { inputs })),
      };
    }
  }
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

async function cocoFile(source: ArchiveSource, split: string) {
  const { lost } = source;
  let walks = 0;
  const noteLost = (input: KeptInput, annotations: readonly KeptAnnotation[]) => {
    lost.otherInputs += 1;
    const { frames } = mergedData(source.showMedium(input), annotations);
    for (const { data } of frames) lost.frameRegions += data?.regions.length ?? 0;
  };
  return {
    description: split === '' ? 'Exported by Fovea' : `Exported by Fovea, split '${split}'`,
    concepts: await conceptsOfVersion(source.db, source.versionKey),
    async *items(): AsyncGenerator<CocoItem> {
      // They are walked twice.
      const isFirst = walks++ === 0;
      for await (const step of inputSteps(source.db, source.versionKey, split, inputsPerEntry)) {
        source.signal.throwIfAborted();
        for (const { input, annotations } of step) {
          if (input.kind !== 'image' && isFirst) noteLost(input, annotations);
          if (input.kind === 'image')
            yield {
              number: input.inputKey,
              id: input.id,
              data: mergedData(source.showMedium(input), annotations),
            };
        }
      }
    },
  };
}
