import type { Readable } from 'node:stream';
import type { Data, Region } from '@fovea/contract';
import {
  type Annotation,
  attributesOf,
  compact,
  type Fields,
  fieldsOf,
  get,
  type ImageRecord,
  type Keypoint,
  numberOf,
  numbersOf,
  textField,
  unpackCounts,
} from '@fovea/formats';
import { encodeJpeg, type MediaDecoder, type Video } from '#engine/media/index.ts';
import type { Runs } from '#engine/metrics/index.ts';

/** One of our annotations, as it is today or as a version keeps it; its concepts have names. */
export interface Said {
  readonly id: string;
  readonly inputLevel: boolean;
  readonly info: unknown;
  readonly data: Data;
}

/** An input with all that is said of it. */
export interface KnownInput {
  readonly id: string;
  readonly kind: string;
  /** Its medium alone. */
  readonly medium: Data;
  readonly metadata: unknown;
  readonly said: readonly Said[];
  /** Opens the original. */
  readonly open: () => Promise<Readable>;
}

export interface RecordTools {
  /** A mask from the bytes of a picture; undefined for bytes that are none. */
  readonly readMask: (bytes: Uint8Array, width: number, height: number) => Promise<Runs | undefined>;
  readonly media: Pick<MediaDecoder, 'openVideo'>;
  readonly signal: AbortSignal;
}

/** What pictures have no place for. */
export interface LeftOut {
  /** Inputs of which nothing is written. */
  inputs: number;
  /** Labels, texts, stretches of time and tracks of whole videos. */
  ofVideos: number;
}

/** What `annotation_info.source` holds of an annotation that came from another tool (transfers/translate.ts writes it). */
interface Source {
  readonly id: string | undefined;
  readonly rest: Partial<Annotation>;
  readonly rotation: number | undefined;
  /** x, y, width, height in pixels of a box that is turned, reaches over the edge, or stands beside another shape. */
  readonly box: readonly number[] | undefined;
  /** In pixels, beside keypoints. */
  readonly polygon: readonly number[] | undefined;
  /** Runs as COCO packs them, beside keypoints. */
  readonly mask: string | undefined;
  readonly visibility: readonly number[] | undefined;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The pictures of an input as records of other tools: the input itself where it is a picture; where it is a video, each
 * frame that something is said of, under the video's name.
 */
export async function* recordsOf(
  input: KnownInput,
  tools: RecordTools,
  leftOut: LeftOut,
): AsyncGenerator<ImageRecord> {
  if (input.kind === 'image') yield await pictureOf(input, tools);
  else if (input.kind === 'video') yield* framesOf(input, tools, leftOut);
  else leftOut.inputs += 1;
}

async function pictureOf(input: KnownInput, { readMask }: RecordTools): Promise<ImageRecord> {
  const { imageInfo, hosted } = input.medium.image ?? {};
  const size = imageInfo?.width && imageInfo.height ? imageInfo : undefined;
  const annotations: Annotation[] = [];
  for (const one of input.said)
    annotations.push(...(await annotationsIn(one, one.data, size ?? { width: 1, height: 1 }, readMask)));
  return compact<ImageRecord>({
    ...namesOf(input, endings[imageInfo?.format.toUpperCase() ?? ''] ?? '.jpg'),
    width: size?.width,
    height: size?.height,
    url: hosted && `${hosted.prefix}/orig/${hosted.suffix}`,
    annotations,
    bytes: async function* () {
      yield* await input.open();
    },
  }) as ImageRecord;
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

/** What an input remembers of the picture it was made of; the rest of its metadata are attributes. */
function namesOf({ id, metadata }: KnownInput, ending: string) {
  const fields: Fields = fieldsOf(metadata) ?? {};
  const { source, split, ...others } = fields;
  const from = fieldsOf(source);
  const name = id.toLowerCase().endsWith(ending) ? id : `${id}${ending}`;
  const attributes = { ...attributesOf(others), ...attributesOf(get(from, 'attributes')) };
  return compact({
    id: textField(get(from, 'id')) ?? id,
    path: textField(get(from, 'path')) ?? name,
    split: typeof split === 'string' && split !== '' ? split : undefined,
    frame: numberOf(get(from, 'frame')),
    attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
  }) as Pick<ImageRecord, 'id' | 'path' | 'split' | 'frame' | 'attributes'>;
}

/** Something that is said of a moment. */
interface Moment {
  readonly number: number;
  readonly timeMs: number;
  readonly one: Said;
  readonly data: Data;
}

async function* framesOf(
  input: KnownInput,
  tools: RecordTools,
  leftOut: LeftOut,
): AsyncGenerator<ImageRecord> {
  const { videoInfo, hosted } = input.medium.video ?? {};
  const moments = input.said.flatMap((one): Moment[] =>
    one.data.frames.flatMap(({ frameInfo, data }) =>
      data ? [{ number: frameInfo?.number ?? 0, timeMs: frameInfo?.time ?? 0, one, data }] : [],
    ),
  );
  leftOut.ofVideos += input.said.reduce((sum, { data }) => sum + saidOfWhole(data), 0);
  if (moments.length === 0 || !videoInfo) {
    leftOut.inputs += 1;
    return;
  }
  const video = sharedVideo(input, tools);
  try {
    // Who names a time alone means the frame that is on the screen then, which only the file knows.
    const isTimed = moments.some(({ number, timeMs }) => number === 0 && timeMs > 0);
    const opened = isTimed ? await video.open().catch(() => undefined) : undefined;
    const numberOfMoment = ({ number, timeMs }: Moment) =>
      number > 0 || timeMs === 0
        ? number
        : (opened?.times.numberAt(timeMs) ?? Math.round((timeMs * videoInfo.fps) / 1000));
    const byNumber = new Map<number, Moment[]>();
    for (const moment of moments) {
      const number = numberOfMoment(moment);
      byNumber.set(number, [...(byNumber.get(number) ?? []), moment]);
    }
    const { id, path, ...names } = namesOf(input, '.mp4');
    for (const [number, some] of [...byNumber].sort(([a], [b]) => a - b)) {
      tools.signal.throwIfAborted();
      const annotations: Annotation[] = [];
      for (const { one, data } of some)
        annotations.push(...(await annotationsIn(one, data, videoInfo, tools.readMask)));
      yield compact<ImageRecord>({
        ...names,
        id: `${id}#${number}`,
        path: `${path.replace(/\.[^./]+$/, '')}/frame-${String(number).padStart(6, '0')}.jpg`,
        frame: number,
        width: videoInfo.width,
        height: videoInfo.height,
        url: hosted && `${hosted.prefix}/thumbnail/${hosted.suffix}?frame=${number}`,
        annotations,
        bytes: async function* () {
          yield await encodeJpeg(await (await video.open()).frameAt({ number }, { signal: tools.signal }));
        },
      }) as ImageRecord;
    }
  } finally {
    await video.close();
  }
}

const saidOfWhole = ({ concepts, text, timeSegments, tracks }: Data): number =>
  concepts.length + timeSegments.length + tracks.length + (text?.raw ? 1 : 0);

/** One opening for all frames that are asked for. */
function sharedVideo({ open }: KnownInput, { media, signal }: RecordTools) {
  let opened: Promise<Video> | undefined;
  return {
    open() {
      opened ??= media.openVideo(open, { background: true, signal });
      return opened;
    },
    async close() {
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}

/** The labels and regions of some data; each concept of a region is an annotation of its own. */
async function annotationsIn(
  { id, inputLevel, info }: Said,
  { concepts, text, regions }: Data,
  size: Size,
  readMask: RecordTools['readMask'],
): Promise<Annotation[]> {
  const source = sourceOf(info);
  const common = compact<Annotation>({
    // Those that came without an id were given `source-NUMBER`.
    id: inputLevel ? undefined : (source.id ?? (/^source-\d+$/.test(id) ? undefined : id)),
    ...source.rest,
  }) as Annotation;
  const found: Annotation[] = [];
  for (const label of labelsOf(concepts)) found.push({ ...common, label });
  if (text?.raw) found.push({ ...common, text: text.raw });
  for (const region of regions) {
    const place = await placeOf(region, source, size, readMask);
    if (!place) continue;
    const inside = region.data;
    const words = inside?.text?.raw ? { text: inside.text.raw } : {};
    const labels = labelsOf(inside?.concepts ?? []);
    for (const label of labels.length > 0 ? labels : [undefined])
      found.push({
        ...common,
        ...(common.track === undefined && region.trackId !== '' ? { track: region.trackId } : {}),
        ...(label === undefined ? {} : { label }),
        ...place,
        ...words,
      });
  }
  return found.map((one, i) =>
    i === 0 || one.id === undefined ? one : { ...one, id: `${one.id}-${i + 1}` },
  );
}

function sourceOf(info: unknown): Source {
  const source: Fields | undefined = fieldsOf(get(fieldsOf(info), 'source'));
  const crowd = get(source, 'crowd');
  return {
    id: textField(get(source, 'id')),
    rest: compact<Annotation>({
      attributes: attributesOf(get(source, 'attributes')),
      score: numberOf(get(source, 'score')),
      crowd: crowd === true ? true : undefined,
      area: numberIn(get(source, 'area')),
      track: textField(get(source, 'track')),
    }),
    rotation: numberOf(get(source, 'rotation')),
    box: numbersOf(get(source, 'box')),
    polygon: numbersOf(get(source, 'polygon')),
    mask: textField(get(source, 'mask')),
    visibility: numbersOf(get(source, 'visibility')),
  };
}

/** An area may be larger than any coordinate. */
const numberIn = (value: unknown) => (typeof value === 'number' ? value : undefined);

/** A value below one half says that a thing is not there. */
const labelsOf = (concepts: readonly { id: string; name: string; value: number }[]): string[] =>
  concepts.filter(({ value }) => value >= 0.5).map(({ id, name }) => name || id);

async function placeOf(
  { regionInfo }: Region,
  source: Source,
  { width, height }: Size,
  readMask: RecordTools['readMask'],
): Promise<Partial<Annotation> | undefined> {
  if (!regionInfo) return undefined;
  const { boundingBox, polygon, point, mask, keypointLocations } = regionInfo;
  const beside = shapesBeside(source, { width, height });
  // A turned box is shown as its outline; one that reaches over the edge, as far as it lies inside.
  if (beside.box && (boundingBox || (polygon && beside.box.rotation))) return { box: beside.box };
  if (boundingBox) {
    const { leftCol, topRow, rightCol, bottomRow } = boundingBox;
    const [x, y] = [near(leftCol * width), near(topRow * height)];
    return { box: { x, y, width: near(rightCol * width - x), height: near(bottomRow * height - y) } };
  }
  if (polygon)
    return {
      ...beside,
      polygons: [polygon.points.flatMap(({ row, col }) => [near(col * width), near(row * height)])],
    };
  if (point) return { point: { x: near(point.col * width), y: near(point.row * height) } };
  if (keypointLocations.length > 0) {
    return {
      ...beside,
      keypoints: keypointLocations.map((at, i): Keypoint => {
        const visibility = (source.visibility?.[i] ?? visibilities[at.visibility] ?? 2) as 0 | 1 | 2;
        return visibility === 0
          ? { x: 0, y: 0, visibility }
          : { x: near(at.col * width), y: near(at.row * height), visibility };
      }),
    };
  }
  const bytes = mask?.image?.base64;
  if (!bytes || bytes.length === 0) return undefined;
  const runs = await readMask(bytes, width, height);
  return runs && { ...beside, mask: { width, height, counts: [...runs] } };
}

/** The shapes of an object that its region has no field for. */
function shapesBeside(
  source: Source,
  { width, height }: Size,
): Pick<Annotation, 'box' | 'polygons' | 'mask'> {
  const [x, y, w, h] = source.box ?? [];
  const isBox = x !== undefined && y !== undefined && w !== undefined && h !== undefined;
  const { rotation } = source;
  const counts = source.mask === undefined ? undefined : unpackCounts(source.mask);
  const isMask = counts?.reduce((sum, run) => sum + run, 0) === width * height;
  return {
    ...(isBox && { box: { x, y, width: w, height: h, ...(rotation ? { rotation } : {}) } }),
    ...(source.polygon && source.polygon.length >= 6 && { polygons: [source.polygon] }),
    ...(counts && isMask && { mask: { width, height, counts } }),
  };
}

/** By Point.Visibility: not set, visible, not visible, not present. */
const visibilities = [2, 2, 1, 0] as const;

/** Coordinates are kept in single precision: a thousandth of a pixel is more than they know. */
const near = (value: number): number => Math.round(value * 1_000) / 1_000;
