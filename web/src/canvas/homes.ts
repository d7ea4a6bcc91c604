import type { Annotation, Concept, Data, Frame, Region, TimeSegment } from '@fovea/contract/rest';

/**
 * Where a shape or a mark lives when its annotation says more than what is drawn of it: further parts, several
 * concepts, a text that was read, fields of another program. All of that stays when the part is changed.
 */
export interface Home {
  /** As it was when it was read. */
  readonly annotation: Annotation;
  readonly part: Part;
}

export type Part =
  | { readonly list: 'regions'; readonly region: string }
  | { readonly list: 'frames'; readonly region: string }
  | { readonly list: 'time_segments'; readonly segment: string };

/** Keys of `annotation_info.fovea` that the canvas writes itself. */
const ownInfo = new Set(['locked', 'order', 'outside_after']);
const kinds = ['bounding_box', 'mask', 'polygon', 'point', 'span'] as const;

/** Whether the canvas would write all of an annotation itself, so that it can be written anew from what is drawn. */
export function isPlain({ data = {}, annotation_info = {} }: Annotation): boolean {
  const { fovea = {}, ...otherInfo } = annotation_info;
  if (filled(otherInfo).length > 0) return false;
  if (typeof fovea !== 'object' || fovea === null || !Object.keys(fovea).every((key) => ownInfo.has(key)))
    return false;
  const [[list, parts] = [], ...more] = filled(data);
  if (more.length > 0 || !Array.isArray(parts) || parts.length !== 1) return false;
  if (list === 'regions') return isPlainRegion(parts[0] as Region);
  if (list === 'time_segments') return isPlainData((parts[0] as TimeSegment).data);
  if (list !== 'frames') return false;
  const [[inner, regions] = [], ...others] = filled((parts[0] as Frame).data);
  return (
    others.length === 0 &&
    inner === 'regions' &&
    Array.isArray(regions) &&
    regions.length === 1 &&
    isPlainRegion(regions[0] as Region)
  );
}

const isPlainRegion = ({ region_info, data, value = 0 }: Region): boolean =>
  isPlainData(data) &&
  (value === 0 || value === 1) &&
  filled(region_info).every(([kind]) => kinds.some((known) => known === kind)) &&
  filled(region_info).length === 1;

const isPlainData = (data: Data | undefined): boolean =>
  filled(data).every(([field]) => field === 'concepts') &&
  (data?.concepts ?? []).length <= 1 &&
  (data?.concepts ?? []).every(({ value }) => value === 1);

/** Fields that say something; replies spell out some that are empty. */
const filled = (message: object | undefined): [string, unknown][] =>
  Object.entries(message ?? {}).filter(
    ([, value]) =>
      value !== undefined &&
      value !== null &&
      value !== '' &&
      value !== 0 &&
      !(typeof value === 'object' && Object.keys(value as object).length === 0),
  );

/**
 * An annotation with one part brought to what is drawn, and everything else as it was. A part that is not there is put
 * back as it was read, and then brought to what is drawn.
 *
 * @param drawn the part as the canvas writes it, in an annotation of its own; undefined takes the part out
 */
export function withPart(
  annotation: Annotation,
  { annotation: read, part }: Home,
  drawn: Annotation | undefined,
): Annotation {
  const list = listWith(annotation.data, read.data, part, drawn?.data);
  const data = { ...annotation.data, [part.list]: list };
  if (!drawn) return { ...annotation, data };
  const { fovea: before } = annotation.annotation_info ?? {};
  const { fovea: after, ...rest } = drawn.annotation_info ?? {};
  const fovea = { ...(before as object | undefined), ...(after as object | undefined) };
  return { ...annotation, data, annotation_info: { ...annotation.annotation_info, ...rest, fovea } };
}

/** An annotation without any of the parts that can be drawn. */
export const withoutParts = (annotation: Annotation): Annotation => ({
  ...annotation,
  data: { ...annotation.data, regions: [], frames: [], time_segments: [] },
});

function listWith(
  now: Data | undefined,
  read: Data | undefined,
  part: Part,
  drawn: Data | undefined,
): readonly object[] {
  switch (part.list) {
    case 'regions':
      return regionsWith(now?.regions, read?.regions, part.region, drawn?.regions?.[0]);
    case 'time_segments':
      return segmentsWith(now?.time_segments, read?.time_segments, part.segment, drawn?.time_segments?.[0]);
    case 'frames': {
      const isHome = ({ data }: Frame) => data?.regions?.some(({ id }) => id === part.region);
      const frames = now?.frames ?? [];
      const region = drawn?.frames?.[0]?.data?.regions?.[0];
      const from = read?.frames?.find(isHome);
      const withRegion = (frame: Frame, regions: readonly Region[] | undefined): Frame => ({
        ...frame,
        data: { ...frame.data, regions: regionsWith(regions, from?.data?.regions, part.region, region) },
      });
      if (region && from && !frames.some(isHome)) return [...frames, withRegion(from, [])];
      return frames
        .map((frame) => (isHome(frame) ? withRegion(frame, frame.data?.regions) : frame))
        .filter(({ data }) => filled(data).length > 0);
    }
  }
}

const regionsWith = (
  now: readonly Region[] | undefined,
  read: readonly Region[] | undefined,
  id: string,
  drawn: Region | undefined,
): readonly Region[] =>
  replaced(now, read, id, (known) =>
    drawn
      ? {
          ...known,
          ...(drawn.region_info ? { region_info: drawn.region_info } : {}),
          ...(drawn.track_id === undefined ? {} : { track_id: drawn.track_id }),
          data: withConcept(known.data, drawn.data?.concepts?.[0]),
        }
      : undefined,
  );

const segmentsWith = (
  now: readonly TimeSegment[] | undefined,
  read: readonly TimeSegment[] | undefined,
  id: string,
  drawn: TimeSegment | undefined,
): readonly TimeSegment[] =>
  replaced(now, read, id, (known) =>
    drawn
      ? {
          ...known,
          time_info: { ...known.time_info, ...drawn.time_info },
          data: withConcept(known.data, drawn.data?.concepts?.[0]),
        }
      : undefined,
  );

/** The one with an id made another, or taken out; first put back as it was read where it is not there any more. */
function replaced<Item extends { readonly id?: string }>(
  now: readonly Item[] = [],
  read: readonly Item[] = [],
  id: string,
  change: (known: Item) => Item | undefined,
): readonly Item[] {
  const isThere = now.some((one) => one.id === id);
  const list = isThere ? now : [...now, ...read.filter((one) => one.id === id)];
  return list.flatMap((one) => (one.id === id ? (change(one) ?? []) : [one]));
}

/** The concept that is shown of several: the first that is said to be there. */
export const shownConcept = (concepts: readonly Concept[] | undefined): Concept | undefined =>
  concepts?.find(({ value }) => (value ?? 0) > 0);

/** Puts a concept in the place of the one that is shown; what else is said, and what is denied, stays. */
function withConcept(data: Data | undefined, concept: Concept | undefined): Data {
  const concepts = data?.concepts ?? [];
  const shown = shownConcept(concepts);
  if (concept?.id === shown?.id) return data ?? {};
  const others = concepts.filter((one) => one !== shown && one.id !== concept?.id);
  return { ...data, concepts: concept ? [concept, ...others] : others };
}

/** Whether nothing is left of an annotation that is worth keeping. */
export const isEmptied = ({ data }: Annotation): boolean => filled(data).length === 0;
