import type { Annotation, Data, Filter, Geo, Input, Query, Rank, Search } from '@fovea/contract';

/**
 * Searches over plain arrays, written from the contract alone: no index, no SQL, no code of the server. What it
 * answers is what a search has to answer.
 */

/** Everything a search can see, in the order of making. */
export interface World {
  readonly inputs: readonly WorldInput[];
  readonly annotations: readonly WorldAnnotation[];
  readonly conceptNames: ReadonlyMap<string, string>;
  /** Names by language, then by concept id. */
  readonly translations: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface WorldInput {
  readonly wire: Input;
  readonly kind: 'image' | 'text';
  readonly text: string;
  readonly datasetIds: readonly string[];
}

export interface WorldAnnotation {
  readonly wire: Annotation;
  readonly vector: Float32Array | undefined;
}

export interface NaiveHit {
  readonly id: string;
  readonly score: number;
}

export type Kind = 'input' | 'annotation';

/**
 * What a search with `as_of` sees: labels and facts as they were, of inputs that are still there. Vectors are those
 * of today, of annotations that have not gone since.
 */
export function worldAsOf(then: World, now: World): World {
  const inputs = new Map(now.inputs.map((input) => [input.wire.id, input]));
  const left = new Set(now.annotations.map(({ wire }) => idOf(wire)));
  return {
    ...then,
    inputs: then.inputs.flatMap(({ wire, datasetIds }) => {
      const today = inputs.get(wire.id);
      return today ? [{ ...today, datasetIds }] : [];
    }),
    annotations: then.annotations
      .filter(({ wire }) => inputs.has(wire.inputId))
      .map((one) => (left.has(idOf(one.wire)) ? one : { ...one, vector: undefined })),
  };
}

const idOf = (annotation: Annotation) => `${annotation.inputId}/${annotation.id}`;

/** All hits of one search, best first; equal ones in the order of making. */
export function naiveSearch(world: World, kind: Kind, search: Search): NaiveHit[] {
  const query = search.query as Query;
  const candidates: { id: string; input: WorldInput; own: WorldAnnotation[] }[] = [];
  for (const input of world.inputs) {
    const own = world.annotations.filter(({ wire }) => wire.inputId === input.wire.id);
    if (kind === 'input') candidates.push({ id: input.wire.id, input, own });
  }
  if (kind === 'annotation') {
    for (const one of world.annotations) {
      const input = world.inputs.find(({ wire }) => wire.id === one.wire.inputId);
      if (input) candidates.push({ id: idOf(one.wire), input, own: [one] });
    }
  }
  const matching = candidates.filter(({ input, own }) =>
    query.filters.every((filter) => meets(world, query.language, filter, input, own)),
  );
  const scored = matching.flatMap(({ id, input, own }) => {
    const score = scoreOf(world, search, kind === 'input' ? input : ownText(input, own), own);
    return score === undefined || (query.ranks.some(ranksSomething) && score < search.minValue - 1e-6)
      ? []
      : [{ id, score }];
  });
  // Sorting is stable: the order of making stays.
  return scored.sort((a, b) => b.score - a.score);
}

/** In an annotation search the text of the input belongs to the annotation about the input as a whole. */
const ownText = (input: WorldInput, [own]: readonly WorldAnnotation[]): WorldInput =>
  own?.wire.inputLevel ? input : { ...input, text: '' };

/** Several searches: each on its own, joined, best first, every hit once. */
export function naiveSearches(world: World, kind: Kind, searches: readonly Search[]): NaiveHit[] {
  const all = searches.flatMap((search) => naiveSearch(world, kind, search));
  const best = new Map<string, number>();
  for (const { id, score } of all) best.set(id, Math.max(score, best.get(id) ?? -1));
  const seen = new Set<string>();
  return all
    .filter(({ id, score }) => score === best.get(id) && !seen.has(id) && seen.add(id))
    .sort((a, b) => b.score - a.score);
}

function meets(
  world: World,
  language: string,
  filter: Filter,
  input: WorldInput,
  own: readonly WorldAnnotation[],
): boolean {
  const { annotation, lastUpdatedTimeRange: range } = filter;
  const tests: ((one: WorldAnnotation) => boolean)[] = annotation
    ? annotationTests(world, language, annotation, input)
    : [];
  const [from, until] = [range?.startTime, range?.endTime].map((at) => at && millis(at));
  if (from !== undefined) tests.push(({ wire }) => modified(wire) >= from);
  if (until !== undefined) tests.push(({ wire }) => modified(wire) <= until);
  const ofInput = inputTests(filter.input, input);
  // A filter that asks nothing imposes nothing, negated or not.
  if (tests.length + ofInput.length === 0) return true;
  const met =
    (tests.length === 0 || own.some((one) => tests.every((test) => test(one)))) && !ofInput.includes(false);
  return filter.negate ? !met : met;
}

const millis = ({ seconds, nanos }: { seconds: bigint; nanos: number }) =>
  Number(seconds) * 1000 + Math.floor(nanos / 1e6);
const modified = (wire: Annotation) => millis(wire.modifiedAt as { seconds: bigint; nanos: number });

function inputTests(wanted: Input | undefined, { wire, kind, datasetIds }: WorldInput): boolean[] {
  if (!wanted) return [];
  const kinds = (['image', 'video', 'audio', 'text'] as const).filter((one) => wanted.data?.[one]);
  const either: boolean[] = [];
  if (kinds.length > 0) either.push(kinds.includes(kind));
  if (wanted.status?.code) either.push(wire.status?.code === wanted.status.code);
  return [
    ...(either.length > 0 ? [either.includes(true)] : []),
    ...(wanted.id === '' ? [] : [wire.id === wanted.id]),
    ...(wanted.datasetIds.length === 0 ? [] : [wanted.datasetIds.some((id) => datasetIds.includes(id))]),
  ];
}

/** One test for each thing that the filter names. */
function annotationTests(
  world: World,
  language: string,
  wanted: Annotation,
  input: WorldInput,
): ((one: WorldAnnotation) => boolean)[] {
  const tests: ((one: WorldAnnotation) => boolean)[] = [];
  const test = (isAsked: unknown, holds: (wire: Annotation) => boolean) => {
    if (isAsked) tests.push(({ wire }) => holds(wire));
  };
  const worker = wanted.worker?.worker;
  const modelVersion = worker?.case === 'model' ? worker.value.modelVersion?.id : wanted.modelVersionId;
  const user = worker?.case === 'user' ? worker.value.id : wanted.userId;
  test(wanted.id, ({ id }) => id === wanted.id);
  test(wanted.inputId, ({ inputId }) => inputId === wanted.inputId);
  test(user, ({ worker: by }) => by?.worker.case === 'user' && by.worker.value.id === user);
  test(
    modelVersion,
    ({ worker: by }) => by?.worker.case === 'model' && by.worker.value.modelVersion?.id === modelVersion,
  );
  test(wanted.taskId, ({ taskId }) => taskId === wanted.taskId);
  test(wanted.status?.code, ({ status }) => status?.code === wanted.status?.code);
  test(wanted.inputLevel, ({ inputLevel }) => inputLevel);
  test(wanted.trusted, ({ trusted }) => trusted);
  test(wanted.annotationInfo, ({ annotationInfo }) => holdsJson(annotationInfo, wanted.annotationInfo));
  const { data } = wanted;
  if (!data) return tests;
  const markers = markersOf(data);
  if (markers.length > 0) test(true, ({ data: has }) => markers.every((marker) => marker(has as Data)));
  test(data.concepts.length, ({ data: has, trusted }) =>
    data.concepts.some(({ id, name, value }) => {
      if (!trusted && !modelVersion) return false;
      const said = labelsIn(has as Data);
      return idsOf(world, language, id, name).some((one) => {
        const label = said.get(one);
        return label !== undefined && (value === 0 ? label < 0.5 : label >= value);
      });
    }),
  );
  test(data.metadata, ({ data: has }) =>
    Object.entries(data.metadata ?? {}).some(([key, value]) => holdsJson(has?.metadata, { [key]: value })),
  );
  test(data.geo, ({ data: has }) => isInside(data.geo as Geo, has?.geo));
  test(data.clusters.length, ({ data: has }) =>
    data.clusters.some(({ id }) => has?.clusters.some((one) => one.id === id)),
  );
  const tracks = data.regions.map(({ trackId }) => trackId).filter((id) => id);
  test(
    tracks.length,
    ({ data: has }) => has?.regions.some(({ trackId }) => tracks.includes(trackId)) ?? false,
  );
  const typed = data.text?.raw;
  if (typed) tests.push(({ wire }) => textsOf(wire, input).some((text) => holdsWords(text, typed)));
  const asksNothing = Object.entries(data).every(
    ([key, value]) =>
      key.startsWith('$') ||
      (Array.isArray(value) ? value.length === 0 : typeof value !== 'object' || value instanceof Uint8Array),
  );
  if (asksNothing) test(true, ({ data: has }) => !isPlaced(has as Data));
  return tests;
}

const isPlaced = ({ regions, frames, timeSegments, tracks }: Data) =>
  regions.length + frames.length + timeSegments.length + tracks.length > 0;

/** Region kinds are alternatives of each other; the other markers must all hold. */
function markersOf(data: Data): ((has: Data) => boolean)[] {
  const markers: ((has: Data) => boolean)[] = [];
  const regionKinds = (['boundingBox', 'point', 'polygon', 'mask', 'span', 'token'] as const).filter((kind) =>
    data.regions.some(({ regionInfo }) => regionInfo?.[kind]),
  );
  if (regionKinds.length > 0)
    markers.push(({ regions, frames }) =>
      [...regions, ...frames.flatMap((frame) => frame.data?.regions ?? [])].some(({ regionInfo }) =>
        regionKinds.some((kind) => regionInfo?.[kind]),
      ),
    );
  if (data.frames.length > 0) markers.push(({ frames }) => frames.length > 0);
  if (data.timeSegments.length > 0) markers.push(({ timeSegments }) => timeSegments.length > 0);
  if (data.text && !data.text.raw) markers.push((has) => textIn(has) !== undefined);
  return markers;
}

const partsOf = ({ regions, frames, timeSegments, tracks }: Data) => [
  ...regions,
  ...frames,
  ...timeSegments,
  ...tracks,
];

const textIn = (data: Data): string | undefined =>
  data.text
    ? data.text.raw
    : partsOf(data).flatMap((part) => (part.data ? (textIn(part.data) ?? []) : []))[0];

function allTexts(data: Data): string[] {
  return [
    ...(data.text?.raw ? [data.text.raw] : []),
    ...partsOf(data).flatMap((part) => (part.data ? allTexts(part.data) : [])),
  ];
}

/** Texts that an annotation stands for: its own as one, and that of the input where it is about the whole. */
const textsOf = (wire: Annotation, input: WorldInput): string[] => [
  ...(wire.data ? [allTexts(wire.data).join('\n')] : []),
  ...(wire.inputLevel ? [input.text] : []),
];

const wordsIn = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** `a b` both, `a OR b` either, `-c` not, "a b" in this order. The words of tests have no stems but themselves. */
function holdsWords(text: string, typed: string): boolean {
  const words = wordsIn(text);
  return typed.split(' OR ').some((part) =>
    (part.match(/-?"[^"]+"|\S+/g) ?? []).every((term) => {
      const isNot = term.startsWith('-');
      const phrase = wordsIn(term);
      const found = words.some((_, at) => phrase.every((word, i) => words[at + i] === word));
      return isNot ? !found : found;
    }),
  );
}

/** The surest value of each concept inside some data. */
function labelsIn(data: Data): Map<string, number> {
  const labels = new Map(data.concepts.map(({ id, value }) => [id, value]));
  for (const part of partsOf(data))
    if (part.data)
      for (const [id, value] of labelsIn(part.data)) labels.set(id, Math.max(value, labels.get(id) ?? 0));
  return labels;
}

function idsOf(world: World, language: string, id: string, name: string): string[] {
  if (id) return [id];
  const translated = world.translations.get(language);
  return [...world.conceptNames].flatMap(([conceptId, own]) =>
    (translated?.get(conceptId) ?? own) === name ? [conceptId] : [],
  );
}

/** Objects hold what they have at least; lists hold each item in some item; others are equal. As PostgreSQL's @>. */
function holdsJson(has: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(has) && wanted.every((item) => has.some((own) => holdsJson(own, item)));
  if (typeof wanted === 'object' && wanted !== null)
    return (
      typeof has === 'object' &&
      has !== null &&
      !Array.isArray(has) &&
      Object.entries(wanted).every(
        ([key, value]) => key in has && holdsJson((has as Record<string, unknown>)[key], value),
      )
    );
  return has === wanted;
}

const radians = (degrees: number) => (degrees * Math.PI) / 180;
const kilometres: Record<string, number> = {
  withinMiles: 1.609344,
  withinKilometers: 1,
  withinDegrees: (6371.0088 * Math.PI) / 180,
  withinRadians: 6371.0088,
};

function isInside(wanted: Geo, has: Geo | undefined): boolean {
  const at = has?.geoPoint;
  if (!at) return false;
  const [a, b] = wanted.geoBox.map(({ geoPoint }) => geoPoint);
  if (a && b) {
    const [south, north] = [Math.min(a.latitude, b.latitude), Math.max(a.latitude, b.latitude)];
    const isAcross = a.longitude - b.longitude > 180;
    const [west, east] = [Math.min(a.longitude, b.longitude), Math.max(a.longitude, b.longitude)];
    const isBetween = isAcross
      ? at.longitude >= east || at.longitude <= west
      : at.longitude >= west && at.longitude <= east;
    return at.latitude >= south && at.latitude <= north && isBetween;
  }
  const [centre, limit] = [wanted.geoPoint, wanted.geoLimit];
  if (!centre || !limit) return false;
  // The angle between two directions from the middle of the earth, by the spherical law of cosines.
  const cosine =
    Math.sin(radians(at.latitude)) * Math.sin(radians(centre.latitude)) +
    Math.cos(radians(at.latitude)) *
      Math.cos(radians(centre.latitude)) *
      Math.cos(radians(at.longitude - centre.longitude));
  const km = 6371.0088 * Math.acos(Math.min(1, Math.max(-1, cosine)));
  return km <= limit.value * (kilometres[limit.type] as number);
}

const ranksSomething = ({ annotation }: Rank) =>
  annotation !== undefined &&
  (annotation.inputId !== '' ||
    (annotation.data?.concepts.length ?? 0) > 0 ||
    (annotation.data?.embeddings.length ?? 0) > 0 ||
    (annotation.data?.text?.raw ?? '') !== '');

/** Mean of the scores of all ranks; 1 without any; undefined where a rank leaves the hit out. */
function scoreOf(
  world: World,
  { query, algorithm }: Search,
  input: WorldInput,
  own: readonly WorldAnnotation[],
): number | undefined {
  const { ranks = [], language = '' } = query ?? {};
  const said: number[] = [];
  const directions: { vector: Float32Array; negate: boolean }[] = [];
  for (const { annotation, negate } of ranks) {
    const { data } = annotation ?? {};
    for (const { vector } of data?.embeddings ?? [])
      directions.push({ vector: Float32Array.from(vector), negate });
    if (annotation?.inputId) {
      const source = world.annotations.find(({ wire }) =>
        wire.inputId === annotation.inputId && annotation.id
          ? wire.id === annotation.id
          : wire.inputLevel && wire.inputId === annotation.inputId,
      );
      directions.push({ vector: source?.vector as Float32Array, negate });
    }
    if (data && data.concepts.length > 0) {
      if (algorithm === 'avg_concept_brute_force')
        directions.push({ vector: averageOf(world, language, data), negate });
      else said.push(turned(conceptScore(world, language, data, own), negate));
    }
    if (data?.text?.raw) {
      const words = [...new Set(wordsIn(data.text.raw))];
      const texts = new Set(own.flatMap(({ wire }) => textsOf(wire, input)).flatMap(wordsIn));
      const share = words.filter((word) => texts.has(word)).length / words.length;
      if (share === 0 && !negate) return undefined;
      said.push(turned(share, negate));
    }
  }
  if (directions.length === 0) return said.length === 0 ? 1 : mean(said);
  const vectors = own.flatMap(({ vector }) => vector ?? []);
  if (vectors.length === 0) return undefined;
  // An input counts by its best annotation.
  const similar = Math.max(
    ...vectors.map((vector) =>
      mean(directions.map(({ vector: to, negate }) => turned((1 + cosineOf(vector, to)) / 2, negate))),
    ),
  );
  return (similar * directions.length + said.reduce((a, b) => a + b, 0)) / (directions.length + said.length);
}

const turned = (score: number, negate: boolean) => (negate ? 1 - score : score);
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** The best of the concepts; of each what the surest trusted label says, or else the surest model. */
function conceptScore(world: World, language: string, data: Data, own: readonly WorldAnnotation[]): number {
  const saidOf = (id: string): number | undefined => {
    const labels = own.flatMap(({ wire }) => {
      const value = wire.data && labelsIn(wire.data).get(id);
      return value === undefined ? [] : [{ value, trusted: wire.trusted }];
    });
    const trusted = labels.filter((label) => label.trusted);
    const counting = trusted.length > 0 ? trusted : labels;
    return counting.length === 0 ? undefined : Math.max(...counting.map(({ value }) => value));
  };
  return Math.max(
    0,
    ...data.concepts.flatMap(({ id, name, value }) => {
      const ids = idsOf(world, language, id, name);
      if (value !== 0) return ids.map((one) => saidOf(one) ?? 0);
      return ids.length === 0 ? [1] : ids.map((one) => 1 - (saidOf(one) ?? 0));
    }),
  );
}

/** What the trusted examples of the concepts have in common; a label without a place means the whole picture. */
function averageOf(world: World, language: string, data: Data): Float32Array {
  const ids = data.concepts.flatMap(({ id, name }) => idsOf(world, language, id, name));
  const examples = new Set<WorldAnnotation>();
  for (const one of world.annotations) {
    const { wire, vector } = one;
    const labels = wire.trusted && wire.data ? labelsIn(wire.data) : new Map<string, number>();
    if (!ids.some((id) => (labels.get(id) ?? 0) >= 0.5)) continue;
    const shown =
      vector || partsOf(wire.data as Data).length > 0
        ? one
        : world.annotations.find((whole) => whole.wire.inputLevel && whole.wire.inputId === wire.inputId);
    if (shown?.vector) examples.add(shown);
  }
  const sum: number[] = [];
  for (const { vector } of examples)
    vector?.forEach((x, d) => {
      sum[d] = (sum[d] ?? 0) + x;
    });
  return Float32Array.from(sum);
}

export function cosineOf(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (const [d, x] of a.entries()) {
    const y = b[d] as number;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / Math.sqrt(aa * bb);
}
