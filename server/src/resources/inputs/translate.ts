import { create, fromBinary } from '@bufbuild/protobuf';
import {
  type Data,
  DataSchema,
  type Image,
  type Input,
  type InputSettings,
  InputSettingsSchema,
  type InputsAddJob,
  InputsAddJobSchema,
  type InputsExtractionJob,
  MultiInputResponseSchema,
  type StatusCode,
  type Upload,
  WireWriter,
} from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { inputLevelTrouble } from '../annotations/index.ts';
import { status } from '../common/status.ts';
import { packBody, showTime, unpackBody } from '../common/translate.ts';
import { inputFault } from './faults.ts';
import { bytesMaxOf, type InputKind, inputIdTrouble, type MediaLimits, urlTrouble } from './input.ts';
import { bytesPerInput, InputWriter } from './packed.ts';
import type { AddJobRow, InputRow } from './rows.ts';

/** An input as it was asked for, checked but not yet stored. */
export interface Draft {
  /** Chosen by the caller, or made here. */
  readonly id: string;
  readonly hasOwnId: boolean;
  readonly kind: InputKind;
  /** Where the medium is to be fetched from; '' when its bytes came along. */
  readonly url: string;
  readonly allowDuplicateUrl: boolean;
  readonly bytes: Buffer | undefined;
  /** Data with nothing but the media, less url, bytes and hosted. */
  readonly media: Buffer;
  readonly settings: Buffer;
  /** Concepts, metadata and geo: the input-level annotation. */
  readonly label: Data;
  readonly datasetIds: readonly string[];
}

/** @throws Fault naming the field, with the code of the item's status */
export function readInput(wire: Input, limits: MediaLimits): Draft {
  const trouble = inputIdTrouble(wire.id);
  if (trouble) throw inputFault.invalid(trouble);
  const { data } = wire;
  const { kind, url, allowDuplicateUrl, bytes } = readMedium(data);
  const bytesMax = bytesMaxOf(kind, limits, 'request');
  if (bytes && bytes.length > bytesMax) throw inputFault.tooManyBytes(kind, bytesMax);
  const labelTrouble = partTrouble(data) ?? inputLevelTrouble(data);
  if (labelTrouble) throw inputFault.invalid(labelTrouble);
  return {
    id: wire.id || newId(),
    hasOwnId: wire.id !== '',
    kind,
    url,
    allowDuplicateUrl,
    bytes,
    media: packMedia(kind, data as Data),
    settings: wire.settings ? packBody(InputSettingsSchema, wire.settings, []) : Buffer.alloc(0),
    label: create(DataSchema, {
      concepts: data?.concepts ?? [],
      ...(data?.metadata ? { metadata: data.metadata } : {}),
      ...(data?.geo ? { geo: data.geo } : {}),
    }),
    datasetIds: [...new Set(wire.datasetIds)],
  };
}

/** What is said of a part of an input goes by annotations: why that cannot come along, or undefined where none does. */
function partTrouble(data: Data | undefined): string | undefined {
  const { regions = [], frames = [], timeSegments = [], tracks = [] } = data ?? {};
  const sent = Object.entries({ regions, frames, time_segments: timeSegments, tracks });
  const name = sent.find(([, parts]) => parts.length > 0)?.[0];
  return (
    name && `data.${name} cannot come with an input; send it by PostAnnotations when the input is processed.`
  );
}

/** An input whose bytes are in the object store already, named and labelled by others than a request. */
export function storedDraft(
  of: Pick<Draft, 'id' | 'kind' | 'label' | 'datasetIds'> & { settings?: InputSettings | undefined },
): Draft {
  const { id, kind, label, datasetIds, settings } = of;
  return {
    id,
    hasOwnId: true,
    kind,
    url: '',
    allowDuplicateUrl: true,
    bytes: undefined,
    media: packMedia(kind, create(DataSchema)),
    settings: settings ? packBody(InputSettingsSchema, settings, []) : Buffer.alloc(0),
    label,
    datasetIds,
  };
}

interface Medium {
  kind: InputKind;
  url: string;
  allowDuplicateUrl: boolean;
  bytes: Buffer | undefined;
}

function readMedium(data: Data | undefined): Medium {
  const sent = (['image', 'video', 'audio', 'text'] as const).filter((kind) => data?.[kind] !== undefined);
  const isMultimodal = sent.length === 2 && sent.includes('image') && sent.includes('text');
  const kind = sent[0];
  if (!data || !kind) throw inputFault.invalid('data holds no image, video, audio or text.');
  if (sent.length > 1 && !isMultimodal) {
    throw inputFault.invalid(`data holds ${sent.join(' and ')}; only image and text may go together.`);
  }
  if (isMultimodal && data.text?.url)
    throw inputFault.invalid('data.text beside an image must be given as text.raw.');
  const medium = kind === 'text' ? readText(data) : readBinary(kind, data);
  if (medium.url !== '' && medium.bytes) {
    throw inputFault.invalid(`data.${kind} holds a url and bytes; send one of them.`);
  }
  if (medium.url === '' && !medium.bytes) {
    throw inputFault.invalid(
      `data.${kind} is empty: it needs a url or ${kind === 'text' ? 'raw text' : 'base64 bytes'}.`,
    );
  }
  const why = medium.url === '' ? undefined : urlTrouble(medium.url);
  if (why) throw inputFault.badUrl(medium.url, why);
  return medium;
}

function readText(data: Data): Medium {
  const { raw = '', url = '', allowDuplicateUrl = false } = data.text ?? {};
  return { kind: 'text', url, allowDuplicateUrl, bytes: raw === '' ? undefined : Buffer.from(raw, 'utf8') };
}

function readBinary(kind: 'image' | 'video' | 'audio', data: Data): Medium {
  const sent = data[kind] as Image;
  const { buffer, byteOffset, byteLength } = sent.base64;
  return {
    kind,
    url: sent.url,
    allowDuplicateUrl: sent.allowDuplicateUrl,
    bytes: byteLength === 0 ? undefined : Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
  };
}

/** Keeps which media there are; what is known about them comes with processing. */
function packMedia(kind: InputKind, data: Data): Buffer {
  if (kind === 'image' && data.text) {
    return packMediaData(create(DataSchema, { image: {}, text: { raw: data.text.raw } }));
  }
  const known = bareMedia.get(kind) ?? packMediaData(create(DataSchema, { [kind]: {} }));
  bareMedia.set(kind, known);
  return known;
}

/** Packed media of which nothing is known yet, the same for all inputs of a kind. */
const bareMedia = new Map<InputKind, Buffer>();

export const packMediaData = (media: Data): Buffer => packBody(DataSchema, media, []);
export const unpackMediaData = (media: Uint8Array): Data => unpackBody(DataSchema, media);

export interface InputLabel {
  readonly concepts: Data['concepts'];
  readonly metadata?: Data['metadata'];
  readonly geo?: Data['geo'];
}

/** Inputs that were written just now, in the field of a reply that holds them, without their labels. */
export function packWritten(rows: readonly InputRow[], grant: AppGrant, publicUrl: string): Buffer {
  const writer = new WireWriter(bytesPerInput * (1 + rows.length));
  const inputs = new InputWriter(grant, publicUrl, new Map(), writer);
  for (const row of rows) inputs.written(inputsField, row);
  return writer.taken();
}

/** The same as messages. @param labels by row key, of those that have one */
export function showWritten(
  rows: readonly InputRow[],
  labels: ReadonlyMap<number, InputLabel> | undefined,
  grant: AppGrant,
  publicUrl: string,
): Input[] {
  const shown = unpackInputs(packWritten(rows, grant, publicUrl));
  for (const [i, { data }] of shown.entries()) {
    const label = labels?.get((rows[i] as InputRow).key);
    if (!label || !data) continue;
    data.concepts = label.concepts;
    if (label.metadata) data.metadata = label.metadata;
    if (label.geo) data.geo = label.geo;
  }
  return shown;
}

/** The field of replies that holds inputs, as in MultiInputResponse. */
export const inputsField = 2;

/** Packed inputs as messages. */
export const unpackInputs = (packed: Uint8Array): Input[] =>
  fromBinary(MultiInputResponseSchema, packed).inputs;

const jobStatus = { running: 64001, completed: 64002, cancelled: 64004 } as const;
export const addJobStatus = jobStatus;

/** What other families know of an add job. */
export interface AddJobParts {
  readonly extractionJobs: readonly InputsExtractionJob[];
  readonly uploads: readonly Upload[];
  readonly callBackUrl: string;
  /** Whether inputs may still come. */
  readonly isOpen: boolean;
}

/** An add job is over when nothing of it is open; a cancelled one stays cancelled until inputs are added to it. */
export function showAddJob(row: AddJobRow, parts?: AddJobParts): InputsAddJob {
  const isOver = row.pendingCount === 0 && row.inProgressCount === 0 && !parts?.isOpen;
  const code =
    row.statusCode === jobStatus.cancelled
      ? row.statusCode
      : isOver
        ? jobStatus.completed
        : jobStatus.running;
  return create(InputsAddJobSchema, {
    id: row.id,
    callBackUrl: parts?.callBackUrl ?? '',
    progress: {
      pendingCount: BigInt(row.pendingCount),
      inProgressCount: BigInt(row.inProgressCount),
      successCount: BigInt(row.successCount),
      failedCount: BigInt(row.failedCount),
    },
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    extractionJobs: [...(parts?.extractionJobs ?? [])],
    uploads: [...(parts?.uploads ?? [])],
    status: status(code as StatusCode),
  });
}

/** What players know the containers as. */
export const playedTypes: Record<string, string> = {
  MP4: 'video/mp4',
  MOV: 'video/quicktime',
  WEBM: 'video/webm',
  MKV: 'video/x-matroska',
  AVI: 'video/x-msvideo',
  WMV: 'video/x-ms-wmv',
  '3GPP': 'video/3gpp',
  WAV: 'audio/wav',
  MP3: 'audio/mpeg',
  FLAC: 'audio/flac',
  OGG: 'audio/ogg',
  M4A: 'audio/mp4',
};
