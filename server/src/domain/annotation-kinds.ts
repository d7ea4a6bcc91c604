/**
 * What an annotation holds, a bit each, as column `annotations.kinds` keeps it. Searches and metrics tell sorts of
 * annotations apart by it without opening their data. Bits are stored: never renumber one.
 */
export const annotationKind = {
  concepts: 1 << 0,
  box: 1 << 1,
  mask: 1 << 2,
  polygon: 1 << 3,
  point: 1 << 4,
  span: 1 << 5,
  token: 1 << 6,
  keypoints: 1 << 7,
  /** A region without a place; rare, but the contract allows it. */
  region: 1 << 8,
  frame: 1 << 9,
  timeSegment: 1 << 10,
  track: 1 << 11,
  text: 1 << 12,
  cluster: 1 << 13,
  embedding: 1 << 14,
  color: 1 << 15,
  metadata: 1 << 16,
  geo: 1 << 17,
} as const;

const kind = annotationKind;

/** Bits that place an annotation inside its input: none of them set means "about the whole input". */
export const placeKinds =
  kind.box |
  kind.mask |
  kind.polygon |
  kind.point |
  kind.span |
  kind.token |
  kind.keypoints |
  kind.region |
  kind.frame |
  kind.timeSegment |
  kind.track;

/** Bits of regions (as opposed to moments of a video). */
export const regionKinds =
  kind.box | kind.mask | kind.polygon | kind.point | kind.span | kind.token | kind.keypoints | kind.region;

interface RegionShape {
  readonly regionInfo?:
    | {
        readonly boundingBox?: unknown;
        readonly mask?: unknown;
        readonly polygon?: unknown;
        readonly point?: unknown;
        readonly span?: unknown;
        readonly token?: unknown;
        readonly keypointLocations: readonly unknown[];
      }
    | undefined;
  readonly data?: DataShape | undefined;
}

interface Inner {
  readonly data?: DataShape | undefined;
}

/** The part of the contract's Data that says what kind of thing it is. */
export interface DataShape {
  readonly concepts: readonly unknown[];
  readonly metadata?: object | undefined;
  readonly geo?: unknown;
  readonly colors: readonly unknown[];
  readonly clusters: readonly unknown[];
  readonly embeddings: readonly unknown[];
  readonly regions: readonly RegionShape[];
  readonly frames: readonly Inner[];
  readonly timeSegments: readonly Inner[];
  readonly tracks: readonly Inner[];
  readonly text?: unknown;
}

/** The bits of some data, with those of everything nested in it. */
export function kindsOf(data: DataShape | undefined): number {
  if (!data) return 0;
  let bits = 0;
  if (data.concepts.length > 0) bits |= kind.concepts;
  if (data.metadata && Object.keys(data.metadata).length > 0) bits |= kind.metadata;
  if (data.geo) bits |= kind.geo;
  if (data.colors.length > 0) bits |= kind.color;
  if (data.clusters.length > 0) bits |= kind.cluster;
  if (data.embeddings.length > 0) bits |= kind.embedding;
  if (data.text) bits |= kind.text;
  if (data.frames.length > 0) bits |= kind.frame;
  if (data.timeSegments.length > 0) bits |= kind.timeSegment;
  if (data.tracks.length > 0) bits |= kind.track;
  for (const region of data.regions) bits |= regionKind(region) | kindsOf(region.data);
  for (const inner of [...data.frames, ...data.timeSegments, ...data.tracks]) bits |= kindsOf(inner.data);
  return bits;
}

function regionKind({ regionInfo: info }: RegionShape): number {
  if (info?.boundingBox) return kind.box;
  if (info?.mask) return kind.mask;
  if (info?.polygon) return kind.polygon;
  if (info?.point) return kind.point;
  if (info?.span) return kind.span;
  if (info?.token) return kind.token;
  if (info && info.keypointLocations.length > 0) return kind.keypoints;
  return kind.region;
}
