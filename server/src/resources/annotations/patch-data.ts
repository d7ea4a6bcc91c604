import type {
  Concept,
  Data,
  Frame,
  FrameInfo,
  Region,
  RegionInfo,
  TimeSegment,
  Track,
} from '@fovea/contract';
import { type Json, merged, type PatchAction, removed } from '#domain/patch.ts';
import { onePerConcept } from './labels-in-data.ts';

/** What arrived as JSON, keys in proto spelling: tells `[]` and `{}` from "not sent". Undefined over gRPC. */
export type Sent = Record<string, unknown> | undefined;

/**
 * Applies one of the three actions to the data of an annotation. Concepts in `sent` carry ids. Neither argument
 * is changed. Source: SEMANTICS 4.2–4.4.
 */
export function patchedData(action: PatchAction, before: Data, sent: Data, raw?: Sent): Data {
  if (action === 'overwrite') return overwritten(before, sent);
  return action === 'merge' ? mergedData(before, sent, raw) : removedData(before, sent);
}

const isEmptyList = (raw: Sent, name: string): boolean => {
  const value = raw?.[name];
  return Array.isArray(value) && value.length === 0;
};

/** Parts that stay as many keep their ids, so that who patched a box by its annotation finds it again. */
function overwritten(before: Data, sent: Data): Data {
  return {
    ...sent,
    regions: withIdsOf(before.regions, sent.regions),
    frames: withIdsOf(before.frames, sent.frames),
    timeSegments: withIdsOf(before.timeSegments, sent.timeSegments),
    tracks: withIdsOf(before.tracks, sent.tracks),
  };
}

function withIdsOf<P extends Region | Part>(before: readonly P[], sent: readonly P[]): P[] {
  if (before.length !== sent.length) return [...sent];
  const taken = new Set(sent.map(({ id }) => id));
  return sent.map((part, i) => {
    const was = before[i] as P;
    const data = was.data && part.data ? overwritten(was.data, part.data) : part.data;
    return { ...part, data, id: part.id || (taken.has(was.id) ? '' : was.id) };
  });
}

function mergedData(before: Data, sent: Data, raw: Sent): Data {
  const after: Data = { ...before };
  after.concepts = isEmptyList(raw, 'concepts') ? [] : mergedConcepts(before.concepts, sent.concepts);
  after.regions = isEmptyList(raw, 'regions') ? [] : mergedRegions(before.regions, sent.regions, raw);
  after.frames = isEmptyList(raw, 'frames') ? [] : mergedParts(before.frames, sent.frames, isSameFrame);
  after.timeSegments = isEmptyList(raw, 'time_segments')
    ? []
    : mergedParts(before.timeSegments, sent.timeSegments, isSameId);
  after.tracks = isEmptyList(raw, 'tracks') ? [] : mergedParts(before.tracks, sent.tracks, isSameId);
  if (sent.metadata)
    after.metadata = merged(before.metadata as Json, sent.metadata as Json) as Data['metadata'];
  if (sent.geo) after.geo = sent.geo;
  if (sent.text) after.text = sent.text;
  if (sent.colors.length > 0) after.colors = sent.colors;
  if (sent.clusters.length > 0) after.clusters = sent.clusters;
  if (sent.embeddings.length > 0) after.embeddings = sent.embeddings;
  return after;
}

function mergedConcepts(before: readonly Concept[], sent: readonly Concept[]): Concept[] {
  return onePerConcept([...before, ...sent]);
}

/** An annotation holds one region at most: one sent without an id means that one. */
function mergedRegions(before: readonly Region[], sent: readonly Region[], raw: Sent): Region[] {
  const after = [...before];
  const rawRegions = (raw?.regions as Sent[] | undefined) ?? [];
  for (const [i, region] of sent.entries()) {
    const known = after.findIndex((other) => other.id === region.id);
    const place = region.id === '' && after.length === 1 ? 0 : known;
    if (place < 0) after.push(region);
    else after[place] = mergedRegion(after[place] as Region, region, rawRegions[i]);
  }
  return after;
}

function mergedRegion(before: Region, sent: Region, raw: Sent): Region {
  return {
    ...before,
    regionInfo: sent.regionInfo ? mergedPlace(before.regionInfo, sent.regionInfo, raw) : before.regionInfo,
    data: sent.data
      ? before.data
        ? mergedData(before.data, sent.data, raw?.data as Sent)
        : sent.data
      : before.data,
    value: sent.value || before.value,
    trackId: sent.trackId || before.trackId,
  };
}

/** A place of another kind replaces the old one; JSON may name single edges of a box, gRPC always sends all four. */
function mergedPlace(before: RegionInfo | undefined, sent: RegionInfo, raw: Sent): RegionInfo {
  const edges = (raw?.region_info as Sent)?.bounding_box as Sent;
  if (!before?.boundingBox || !sent.boundingBox || !edges) return sent;
  const { topRow, leftCol, bottomRow, rightCol } = sent.boundingBox;
  return {
    ...sent,
    boundingBox: {
      ...before.boundingBox,
      ...('top_row' in edges && { topRow }),
      ...('left_col' in edges && { leftCol }),
      ...('bottom_row' in edges && { bottomRow }),
      ...('right_col' in edges && { rightCol }),
    },
  };
}

type Part = Frame | TimeSegment | Track;

const isSameId = (a: Part, b: Part): boolean => b.id !== '' && a.id === b.id;
const isSameFrame = (a: Frame, b: Frame): boolean =>
  b.id !== '' ? a.id === b.id : isSameMoment(a.frameInfo, b.frameInfo);

/** Moments are told apart by their times; by their numbers where one of them says no time. */
function isSameMoment(a: FrameInfo | undefined, b: FrameInfo | undefined): boolean {
  if (a?.time && b?.time) return a.time === b.time;
  const number = a?.number ?? 0;
  return number === (b?.number ?? 0) && (number > 0 || (a?.time ?? 0) === (b?.time ?? 0));
}

/** Who names a frame by its time alone, or by its number alone, leaves the other as it was. */
const mergedMoment = (before: FrameInfo | undefined, sent: FrameInfo): FrameInfo => ({
  ...sent,
  time: sent.time || (before?.time ?? 0),
  number: sent.number || (before?.number ?? 0),
});

function mergedParts<P extends Part>(
  before: readonly P[],
  sent: readonly P[],
  isSame: (a: P, b: P) => boolean,
): P[] {
  const after = [...before];
  for (const part of sent) {
    const place = after.findIndex((other) => isSame(other, part));
    const known = after[place];
    if (!known) after.push(part);
    else after[place] = { ...known, ...setFields(part, known), data: mergedPartData(known.data, part.data) };
  }
  return after;
}

const mergedPartData = (before: Data | undefined, sent: Data | undefined) =>
  before && sent ? mergedData(before, sent, undefined) : (sent ?? before);

/** Fields of a part that say something beside its data. */
function setFields<P extends Part>(part: P, before: P): Partial<P> {
  const said = Object.entries(part).filter(
    ([name, value]) => name !== 'data' && value !== undefined && value !== '',
  );
  const fields = Object.fromEntries(said) as Partial<P>;
  if ('frameInfo' in part && part.frameInfo && 'frameInfo' in before)
    return { ...fields, frameInfo: mergedMoment(before.frameInfo, part.frameInfo) };
  return fields;
}

function removedData(before: Data, sent: Data): Data {
  const gone = new Set(sent.concepts.map(({ id }) => id));
  const after: Data = { ...before, concepts: before.concepts.filter(({ id }) => !gone.has(id)) };
  if (sent.metadata)
    after.metadata = removed(before.metadata as Json, sent.metadata as Json) as Data['metadata'];
  if (sent.geo) after.geo = undefined;
  if (sent.text) after.text = undefined;
  after.regions = removedRegions(before.regions, sent.regions);
  after.frames = removedParts(before.frames, sent.frames, isSameFrame);
  after.timeSegments = removedParts(before.timeSegments, sent.timeSegments, isSameId);
  after.tracks = removedParts(before.tracks, sent.tracks, isSameId);
  return after;
}

/** By id; one without an id names what to take out of the one region there is, or that region whole. */
function removedRegions(before: readonly Region[], sent: readonly Region[]): Region[] {
  let after = [...before];
  for (const region of sent) {
    const only = after.length === 1 ? after[0] : undefined;
    if (region.id !== '') after = after.filter(({ id }) => id !== region.id);
    else if (only)
      after = region.data && only.data ? [{ ...only, data: removedData(only.data, region.data) }] : [];
  }
  return after;
}

function removedParts<P extends Part>(
  before: readonly P[],
  sent: readonly P[],
  isSame: (a: P, b: P) => boolean,
): P[] {
  return before.flatMap((part) => {
    const named = sent.find((other) => isSame(part, other));
    if (!named) return [part];
    if (named.id !== '' || !named.data || !part.data) return [];
    return [{ ...part, data: removedData(part.data, named.data) }];
  });
}

/** True when nothing is left that says anything. */
export function isEmptyData(data: Data): boolean {
  const {
    concepts,
    regions,
    frames,
    timeSegments,
    tracks,
    metadata,
    geo,
    text,
    colors,
    clusters,
    embeddings,
  } = data;
  const lists = [concepts, regions, frames, timeSegments, tracks, colors, clusters, embeddings];
  return (
    lists.every((list) => list.length === 0) && !geo && !text && Object.keys(metadata ?? {}).length === 0
  );
}
