import type { Annotation, Data, Input } from '@fovea/contract';
import { annotationKind } from '#domain/annotation-kinds.ts';
import { searchFault } from './faults.ts';
import { type AnnotationTerms, type InputTerms, isEmpty, type VectorSource } from './query.ts';
import { readConcepts } from './read-concepts.ts';
import { readGeo } from './read-geo.ts';

const metadataKeysMax = 100;
const idsMax = 1_000;
const wordsMax = 1_000;

/** What trusted annotations have to say of an input. */
export function trustedTerms(input: Input | undefined): AnnotationTerms {
  const { concepts = [], metadata, geo, text } = input?.data ?? {};
  const terms: AnnotationTerms = {
    ...(concepts.length > 0 ? { concepts: readConcepts(concepts) } : {}),
    ...readMetadata(metadata),
    ...(geo ? readGeo(geo) : {}),
    ...(text?.raw ? { words: readWords(text.raw) } : {}),
  };
  return isEmpty(terms) ? {} : { ...terms, trustedOnly: true };
}

/** Only what is set becomes a term; an empty message becomes none. */
export function readAnnotationTerms(wire: Annotation | undefined): AnnotationTerms {
  if (!wire) return {};
  const worker = wire.worker?.worker;
  const userId = (worker?.case === 'user' ? worker.value.id : '') || wire.userId;
  const modelVersionId =
    (worker?.case === 'model' ? worker.value.modelVersion?.id : '') || wire.modelVersionId;
  const workflowVersionId = worker?.case === 'workflow' ? worker.value.version?.id : '';
  return {
    ...(wire.id ? { id: wire.id } : {}),
    ...(wire.inputId ? { inputId: wire.inputId } : {}),
    ...(userId ? { userId } : {}),
    ...(modelVersionId ? { modelVersionId } : {}),
    ...(workflowVersionId ? { workflowVersionId } : {}),
    ...(wire.taskId ? { taskId: wire.taskId } : {}),
    ...(wire.status?.code ? { statusCode: wire.status.code } : {}),
    ...(wire.inputLevel ? { inputLevelOnly: true } : {}),
    ...(wire.trusted ? { trustedOnly: true } : {}),
    ...(wire.annotationInfo && !isEmpty(wire.annotationInfo) ? { info: wire.annotationInfo } : {}),
    ...readDataTerms(wire.data),
  };
}

function readDataTerms(data: Data | undefined): AnnotationTerms {
  if (!data) return {};
  const trackIds = data.regions.map(({ trackId }) => trackId).filter((id) => id !== '');
  const clusterIds = data.clusters.map(({ id }) => id).filter((id) => id !== '');
  const terms: AnnotationTerms = {
    ...kindsAsked(data),
    ...(trackIds.length > 0 ? { trackIds } : {}),
    ...(clusterIds.length > 0 ? { clusterIds } : {}),
    ...(data.concepts.length > 0 ? { concepts: readConcepts(data.concepts) } : {}),
    ...readMetadata(data.metadata),
    ...(data.geo ? readGeo(data.geo) : {}),
    ...(data.text?.raw ? { words: readWords(data.text.raw) } : {}),
  };
  // `data: {}`, and nothing else, asks for annotations without space-time info.
  return isEmpty(terms) && !Object.values(data).some(isSet) ? { wholeInputOnly: true } : terms;
}

function readMetadata(metadata: Data['metadata']): { metadata?: NonNullable<Data['metadata']> } {
  if (!metadata || isEmpty(metadata)) return {};
  const keys = Object.keys(metadata).length;
  if (keys > metadataKeysMax) throw searchFault.tooMany('data.metadata of one filter', keys, metadataKeysMax);
  return { metadata };
}

export function readWords(raw: string): string {
  if (raw.length > wordsMax)
    throw searchFault.invalid(
      `data.text.raw has ${raw.length} characters; a search takes up to ${wordsMax}.`,
    );
  return raw;
}

/** Whether a field of Data was sent: an empty message was, an empty list or text was not. */
const isSet = (value: unknown): boolean =>
  Array.isArray(value) || value instanceof Uint8Array
    ? value.length > 0
    : typeof value === 'object' && value !== null;

/** Markers: an empty sub-message asks for annotations that have one. */
function kindsAsked(data: Data): Pick<AnnotationTerms, 'kinds' | 'regionKinds'> {
  let regionKinds = 0;
  for (const { regionInfo: info } of data.regions) {
    if (info?.boundingBox) regionKinds |= annotationKind.box;
    if (info?.mask) regionKinds |= annotationKind.mask;
    if (info?.point) regionKinds |= annotationKind.point;
    if (info?.polygon) regionKinds |= annotationKind.polygon;
    if (info?.span) regionKinds |= annotationKind.span;
    if (info?.token) regionKinds |= annotationKind.token;
    if (info && info.keypointLocations.length > 0) regionKinds |= annotationKind.keypoints;
  }
  let kinds = 0;
  if (data.frames.length > 0) kinds |= annotationKind.frame;
  if (data.timeSegments.length > 0) kinds |= annotationKind.timeSegment;
  if (data.tracks.length > 0) kinds |= annotationKind.track;
  if (data.text && !data.text.raw) kinds |= annotationKind.text;
  return { ...(kinds ? { kinds } : {}), ...(regionKinds ? { regionKinds } : {}) };
}

const mediaKinds = ['image', 'video', 'audio', 'text'] as const;

export function readInputTerms(wire: Input | undefined): InputTerms {
  if (!wire) return {};
  const { data, datasetIds } = wire;
  if (datasetIds.length > idsMax) throw searchFault.tooMany('input.dataset_ids', datasetIds.length, idsMax);
  const kinds = mediaKinds.filter((kind) => data?.[kind] !== undefined && !urlOf(data[kind]));
  const url = mediaKinds.map((kind) => urlOf(data?.[kind])).find((one) => one !== '');
  return {
    ...(wire.id ? { ids: [wire.id] } : {}),
    ...(url ? { url } : {}),
    ...(kinds.length > 0 ? { kinds } : {}),
    ...(wire.status?.code ? { statusCode: wire.status.code } : {}),
    ...(datasetIds.length > 0 ? { datasetIds } : {}),
  };
}

const urlOf = (medium: { url: string } | undefined): string => medium?.url ?? '';

/** A picture to rank by, as url or bytes. */
export function pictureOf(image: { url: string; base64: Uint8Array } | undefined): VectorSource[] {
  if (image?.url) return [{ kind: 'image_url', url: image.url }];
  return image && image.base64.length > 0 ? [{ kind: 'image_bytes', bytes: image.base64 }] : [];
}
