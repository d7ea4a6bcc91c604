import type {
  Annotation,
  Data,
  Geo,
  Input,
  Query,
  Search,
  Filter as WireFilter,
  Rank as WireRank,
} from '@fovea/contract';
import { annotationKind } from '#domain/annotation-kinds.ts';
import { readTime } from '../common/translate.ts';
import { searchFault } from './faults.ts';
import {
  type AnnotationTerms,
  type ConceptTerm,
  type Filter,
  type GeoTerm,
  type InputTerms,
  isEmpty,
  type Place,
  type Rank,
  type SearchTree,
  type VectorSource,
} from './query.ts';

const filtersMax = 100;
const ranksMax = 20;
const conceptsMax = 1_000;
const kmPerMile = 1.609344;
/** Mean radius of the earth (IUGG). */
const earthRadiusKm = 6371.0088;

/** Reads one search into a tree. @throws Fault 40002 naming the field that does not fit */
export function readSearch(search: Search): SearchTree {
  if (search.asOf)
    throw readTime(search.asOf, 'as_of') > new Date() ? searchFault.future() : searchFault.noPast();
  const query = search.query;
  const { minValue } = search;
  if (!(minValue >= 0 && minValue <= 1))
    throw searchFault.invalid(`min_value is ${minValue}; it goes from 0 to 1.`);
  return { ...readQuery(query), minValue };
}

export function readQuery(query: Query | undefined): SearchTree {
  const filters = query?.filters ?? [];
  const ranks = query?.ranks ?? [];
  if (filters.length > filtersMax)
    throw searchFault.invalid(`query.filters holds ${filters.length} filters; at most ${filtersMax}.`);
  if (ranks.length > ranksMax)
    throw searchFault.invalid(`query.ranks holds ${ranks.length} ranks; at most ${ranksMax}.`);
  return {
    filters: filters
      .map(readFilter)
      .filter((filter) => !isEmpty(filter.annotation) || !isEmpty(filter.input)),
    ranks: ranks.flatMap(readRank),
    language: query?.language ?? '',
    minValue: 0,
  };
}

function readFilter(wire: WireFilter): Filter {
  const annotation = readAnnotationTerms(wire.annotation);
  const range = wire.lastUpdatedTimeRange;
  const updated = {
    from: range?.startTime && readTime(range.startTime, 'last_updated_time_range.start_time'),
    until: range?.endTime && readTime(range.endTime, 'last_updated_time_range.end_time'),
  };
  return {
    negate: wire.negate,
    annotation: updated.from || updated.until ? { ...annotation, updated } : annotation,
    input: readInputTerms(wire.input),
  };
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
  if (data.clusters.length > 0) throw searchFault.unsupported('clusters');
  const kinds = kindsAsked(data);
  const trackId = data.regions.find((region) => region.trackId)?.trackId;
  const terms: AnnotationTerms = {
    ...(kinds ? { kinds } : {}),
    ...(trackId ? { trackId } : {}),
    ...(data.concepts.length > 0 ? { concepts: readConcepts(data.concepts) } : {}),
    ...(data.metadata && !isEmpty(data.metadata) ? { metadata: data.metadata } : {}),
    ...(data.geo ? readGeo(data.geo) : {}),
  };
  // `data: {}`, and nothing else, asks for annotations without space-time info.
  return isEmpty(terms) && !Object.values(data).some(isSet) ? { wholeInputOnly: true } : terms;
}

/** Whether a field of Data was sent: an empty message was, an empty list or text was not. */
const isSet = (value: unknown): boolean =>
  Array.isArray(value) || value instanceof Uint8Array
    ? value.length > 0
    : typeof value === 'object' && value !== null;

/** Markers: an empty sub-message asks for annotations that have one. */
function kindsAsked(data: Data): number {
  let kinds = 0;
  for (const { regionInfo: info } of data.regions) {
    if (info?.boundingBox) kinds |= annotationKind.box;
    if (info?.mask) kinds |= annotationKind.mask;
    if (info?.point) kinds |= annotationKind.point;
    if (info?.polygon) kinds |= annotationKind.polygon;
    if (info?.span) kinds |= annotationKind.span;
    if (info?.token) kinds |= annotationKind.token;
  }
  if (data.frames.length > 0) kinds |= annotationKind.frame;
  if (data.timeSegments.length > 0) kinds |= annotationKind.timeSegment;
  if (data.text) kinds |= annotationKind.text;
  return kinds;
}

function readConcepts(wire: readonly { id: string; name: string; value: number }[]): ConceptTerm[] {
  if (wire.length > conceptsMax)
    throw searchFault.invalid(
      `data.concepts holds ${wire.length} concepts; at most ${conceptsMax} in one filter or rank.`,
    );
  return wire.map(({ id, name, value }) => {
    if (!id && !name) throw searchFault.invalid('data.concepts[] needs an id or a name.');
    if (!(value >= 0 && value <= 1))
      throw searchFault.invalid(`data.concepts[].value is ${value}; it goes from 0 to 1.`);
    return { id, name, value };
  });
}

function readGeo(geo: Geo): { geo?: GeoTerm } {
  const corners = geo.geoBox.flatMap((corner) => (corner.geoPoint ? [readPlace(corner.geoPoint)] : []));
  if (corners.length > 0) {
    const [a, b] = corners;
    if (!a || !b || corners.length !== 2)
      throw searchFault.invalid('data.geo.geo_box needs two corner points.');
    return {
      geo: {
        kind: 'box',
        south: Math.min(a.latitude, b.latitude),
        north: Math.max(a.latitude, b.latitude),
        west: Math.min(a.longitude, b.longitude),
        east: Math.max(a.longitude, b.longitude),
      },
    };
  }
  if (!geo.geoPoint) return {};
  if (!geo.geoLimit)
    throw searchFault.invalid('data.geo.geo_point needs a geo_limit {type, value} beside it.');
  return { geo: { kind: 'circle', centre: readPlace(geo.geoPoint), radiusKm: radiusOf(geo.geoLimit) } };
}

function readPlace({ latitude, longitude }: Place): Place {
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
    throw searchFault.invalid(`data.geo: latitude ${latitude}, longitude ${longitude} is no place on earth.`);
  }
  return { latitude, longitude };
}

function radiusOf({ type, value }: { type: string; value: number }): number {
  const kmPerUnit: Record<string, number> = {
    withinMiles: kmPerMile,
    withinKilometers: 1,
    withinDegrees: (earthRadiusKm * Math.PI) / 180,
    withinRadians: earthRadiusKm,
  };
  const km = kmPerUnit[type];
  if (km === undefined)
    throw searchFault.invalid(
      `data.geo.geo_limit.type is '${type}'; use ${Object.keys(kmPerUnit).join(', ')}.`,
    );
  if (!(value >= 0))
    throw searchFault.invalid(`data.geo.geo_limit.value is ${value}; it is a distance, 0 or more.`);
  return value * km;
}

const mediaKinds = ['image', 'video', 'audio', 'text'] as const;

export function readInputTerms(wire: Input | undefined): InputTerms {
  if (!wire) return {};
  const kinds = mediaKinds.filter((kind) => wire.data?.[kind] !== undefined && !urlOf(wire.data[kind]));
  const url = wire.data?.image?.url || wire.data?.text?.url;
  return {
    ...(wire.id ? { ids: [wire.id] } : {}),
    ...(url ? { url } : {}),
    ...(kinds.length > 0 ? { kinds } : {}),
    ...(wire.status?.code ? { statusCode: wire.status.code } : {}),
    ...(wire.datasetIds.length > 0 ? { datasetIds: wire.datasetIds } : {}),
  };
}

const urlOf = (medium: { url: string } | undefined): string => medium?.url ?? '';

/** A rank message may hold concepts and a picture at once: each becomes a rank. Empty messages rank nothing. */
function readRank(wire: WireRank): Rank[] {
  const { annotation, negate } = wire;
  if (!annotation) return [];
  const { data, modelVersionId } = annotation;
  if (data?.text?.raw) throw searchFault.textNeedsModel();
  const sources: VectorSource[] = [];
  for (const embedding of data?.embeddings ?? []) {
    if (embedding.vector.length > 0) sources.push({ kind: 'vector', vector: readVector(embedding.vector) });
  }
  if (data?.image?.url) sources.push({ kind: 'image_url', url: data.image.url });
  else if (data?.image && data.image.base64.length > 0)
    sources.push({ kind: 'image_bytes', bytes: data.image.base64 });
  if (annotation.inputId) sources.push({ kind: 'input', inputId: annotation.inputId });
  const similar = sources.map((source): Rank => ({ kind: 'similar', negate, source, modelVersionId }));
  if (!data || data.concepts.length === 0) return similar;
  return [...similar, { kind: 'concepts', negate, concepts: readConcepts(data.concepts) }];
}

function readVector(numbers: readonly number[]): Float32Array {
  const vector = Float32Array.from(numbers);
  if (vector.some((x) => !Number.isFinite(x)) || vector.every((x) => x === 0)) throw searchFault.badVector();
  return vector;
}
