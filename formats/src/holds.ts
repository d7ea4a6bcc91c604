import {
  areaOfRings,
  boundsOfKeypoints,
  boundsOfRings,
  cornersOfBox,
  outlinesOfMask,
} from './geometry/polygon.ts';
import { areaOfMask, boundsOfMask, maskOfPolygons } from './geometry/rle.ts';
import { type Annotation, compact, type ImageRecord, isPlaced } from './record.ts';

/** What there is to be kept. */
export type Feature =
  | 'box'
  | 'rotation'
  | 'polygon'
  | 'mask'
  | 'keypoints'
  | 'hidden-keypoints'
  | 'point'
  | 'text'
  | 'image-label'
  | 'several-labels'
  | 'unlabelled'
  | 'attributes'
  | 'image-attributes'
  | 'score'
  | 'crowd'
  | 'area'
  | 'track'
  | 'frame'
  | 'split'
  | 'other-splits'
  | 'empty-images'
  | 'image-ids'
  | 'annotation-ids'
  | 'image-size'
  | 'several-shapes'
  | 'pieces';

/**
 * What a format can say. `true`: exactly. What is missing is lost, or becomes the next best thing that it can say
 * (a mask its outlines, outlines their box). `several-shapes`: box, outlines and keypoints of
 * one object together; `pieces`: one object in several outlines.
 */
export type Holds = Readonly<Partial<Record<Feature, true>>> & {
  /** The only attributes of places that can be kept, yes or no each, where there are no free ones. */
  readonly flags?: readonly string[];
};

/** What a format does not keep, in the words of the report. */
export type Loss =
  | `${Feature} lost`
  | 'rotation became outlines'
  | 'mask became outlines'
  | 'holes of masks lost'
  | 'mask became box'
  | 'outlines became mask'
  | 'outlines became box'
  | 'box became outlines'
  | 'rotation became upright box'
  | 'pieces became objects'
  | 'no label became "object"';

type Lose = (loss: Loss) => void;

/**
 * The record as the format can hold it; undefined where it cannot hold the picture at all.
 *
 * The sides stay in any case: writers count with them, and the file itself tells them again.
 *
 * Pure, so that tests can ask for what must come back, and reports can count before anything is written.
 */
export function fit(record: ImageRecord, holds: Holds, lose: Lose): ImageRecord | undefined {
  const fitted = oneLabelIfMust(
    record.annotations.flatMap((one) => inPieces(fitAnnotation(one, record, holds, lose), holds, lose)),
    holds,
    lose,
  );
  if (fitted.length === 0 && !holds['empty-images']) {
    lose('empty-images lost');
    return undefined;
  }
  const keep = keeper(holds, lose);
  const split = keep('split', record.split);
  return compact<ImageRecord>({
    ...record,
    id: keep('image-ids', record.id),
    split: split === undefined || isKnownSplit(split) ? split : keep('other-splits', split),
    attributes: keep('image-attributes', record.attributes),
    frame: keep('frame', record.frame),
    annotations: fitted,
  }) as ImageRecord;
}

const isKnownSplit = (split: string) => ['train', 'val', 'test'].includes(split);

const keeper =
  (holds: Holds, lose: Lose) =>
  <T>(feature: Feature, value: T | undefined): T | undefined => {
    if (value === undefined || holds[feature]) return value;
    lose(`${feature} lost`);
    return undefined;
  };

/** A format of folders knows one label per picture: the first one stays. */
function oneLabelIfMust(annotations: readonly Annotation[], holds: Holds, lose: Lose): Annotation[] {
  if (holds['several-labels']) return [...annotations];
  let hadLabel = false;
  return annotations.filter((one) => {
    if (isPlaced(one) || one.label === undefined) return true;
    if (hadLabel) lose('several-labels lost');
    const isKept = !hadLabel;
    hadLabel = true;
    return isKept;
  });
}

/** Where an object has one outline at most, each of its pieces becomes an object. */
function inPieces(one: Annotation | undefined, holds: Holds, lose: Lose): Annotation[] {
  if (!one) return [];
  if (holds.pieces || !one.polygons || one.polygons.length < 2) return [one];
  lose('pieces became objects');
  // The area is that of all pieces together.
  const { id, area, ...rest } = one;
  if (area !== undefined) lose('area lost');
  return one.polygons.map((ring, i) => ({
    ...(id === undefined ? {} : { id: i === 0 ? id : `${id}-${i + 1}` }),
    ...rest,
    polygons: [ring],
  }));
}

function fitAnnotation(
  one: Annotation,
  image: ImageRecord,
  holds: Holds,
  lose: Lose,
): Annotation | undefined {
  if (isUprightBox(one) && isHeld(one, holds)) return one;
  const keep = keeper(holds, lose);
  const label = one.label ?? nameForNone(one, holds, lose);
  const shape = isPlaced(one) ? fitShape(one, image, holds, lose) : fitStatement(one, holds, lose);
  if (!shape) return undefined;
  return compact<Annotation>({
    id: keep('annotation-ids', one.id),
    label,
    ...shape,
    area: keep('area', one.area),
    attributes: fitAttributes(one, holds, lose),
    score: keep('score', one.score),
    crowd: keep('crowd', one.crowd || undefined),
    track: keep('track', one.track),
  }) as Annotation;
}

/** Nothing but a box that is not turned, whatever else is known of it but attributes: most of most sets. */
export const isUprightBox = (one: Annotation): boolean =>
  one.box !== undefined &&
  !one.box.rotation &&
  one.polygons === undefined &&
  one.mask === undefined &&
  one.keypoints === undefined &&
  one.point === undefined &&
  one.text === undefined &&
  one.attributes === undefined;

/** Whether such a box can be kept as it is. */
const isHeld = ({ id, label, area, score, crowd, track }: Annotation, holds: Holds): boolean =>
  holds.box === true &&
  (label !== undefined || holds.unlabelled === true) &&
  (id === undefined || holds['annotation-ids'] === true) &&
  (area === undefined || holds.area === true) &&
  (score === undefined || holds.score === true) &&
  (crowd === undefined || (crowd && holds.crowd === true)) &&
  (track === undefined || holds.track === true);

function fitAttributes(one: Annotation, holds: Holds, lose: Lose) {
  const { attributes } = one;
  if (!attributes || holds.attributes) return attributes;
  const kept = Object.entries(attributes).filter(
    ([name, on]) => on === true && isPlaced(one) && holds.flags?.includes(name),
  );
  if (kept.length < Object.keys(attributes).length) lose('attributes lost');
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

/** A place without a class stays, as an object of no particular one. */
function nameForNone(one: Annotation, holds: Holds, lose: Lose): string | undefined {
  if (holds.unlabelled || !isPlaced(one)) return undefined;
  lose('no label became "object"');
  return 'object';
}

type Shape = Pick<Annotation, 'box' | 'polygons' | 'mask' | 'keypoints' | 'point' | 'text'>;

/** A label or a text about the picture as a whole. */
function fitStatement(one: Annotation, holds: Holds, lose: Lose): Shape | undefined {
  if (one.text !== undefined) {
    if (holds.text) return { text: one.text };
    lose('text lost');
    return undefined;
  }
  if (holds['image-label']) return {};
  lose('image-label lost');
  return undefined;
}

function fitShape(one: Annotation, image: ImageRecord, holds: Holds, lose: Lose): Shape | undefined {
  const isTextHeld = holds.text && holds['several-shapes'];
  if (one.text !== undefined && !isTextHeld) lose('text lost');
  const text = isTextHeld ? one.text : undefined;
  const keypoints = fitKeypoints(one, holds, lose);
  const area = fitArea(one, image, holds, lose);
  const box = one.box && fitBox(one.box, holds, lose);
  const point = one.point && holds.point ? one.point : undefined;
  if (one.point && !point) lose('point lost');
  const all: Shape = compact<Shape>({ keypoints, ...area, ...box, point, text });
  const shape = holds['several-shapes'] ? joined(all) : best(all, lose);
  return shape && Object.keys(shape).some((key) => key !== 'text') ? shape : undefined;
}

/** Where box and outlines may stand together, a box made out of the others adds nothing. */
function joined(shape: Shape): Shape {
  const { box, ...others } = shape;
  return box && !box.rotation && isSameBox(box, boundsOf(others), 1e-6) ? others : shape;
}

/** The same for what was read: without the box and the area that only repeat the outlines. */
export function withoutDerived(one: Annotation): Annotation {
  const { area, ...rest } = one;
  const { box, ...bare } = rest;
  const kept = box && joined(rest) !== rest ? bare : rest;
  return area !== undefined && Math.abs(area - areaOf(rest)) > 1e-6 * Math.max(1, area)
    ? { ...kept, area }
    : kept;
}

/** Square pixels of what an annotation shows; of its box where it shows nothing else. */
export function areaOf(one: Annotation): number {
  if (one.mask) return areaOfMask(one.mask);
  if (one.polygons) return areaOfRings(one.polygons);
  const box = boundsOf(one);
  return box ? box.width * box.height : 0;
}

/** The shape that says most; what else there was is lost, unless it is only the box around it. */
function best(all: Shape, lose: Lose): Shape | undefined {
  if (all.keypoints) {
    if (all.polygons) lose('polygon lost');
    if (all.mask) lose('mask lost');
    if (all.box) lose('box lost');
    return { keypoints: all.keypoints };
  }
  if (all.mask) {
    if (all.box && !isSameBox(all.box, boundsOfMask(all.mask))) lose('box lost');
    return { mask: all.mask };
  }
  if (all.polygons) {
    if (all.box && !isSameBox(all.box, boundsOfRings(all.polygons))) lose('box lost');
    return { polygons: all.polygons };
  }
  if (all.box) return { box: all.box };
  return all.point ? { point: all.point } : undefined;
}

type Upright = { x: number; y: number; width: number; height: number };
const isSameBox = (a: Upright, b: Upright | undefined, tolerance = 1.5): boolean =>
  b !== undefined &&
  [a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height].every((d) => Math.abs(d) < tolerance);

function fitKeypoints(one: Annotation, holds: Holds, lose: Lose) {
  if (!one.keypoints) return undefined;
  if (!holds.keypoints) {
    lose('keypoints lost');
    return undefined;
  }
  if (holds['hidden-keypoints'] || one.keypoints.every(({ visibility }) => visibility === 2))
    return one.keypoints;
  lose('hidden-keypoints lost');
  return one.keypoints.map((point) => ({ ...point, visibility: 2 as const }));
}

/** Outlines and masks. A format that holds only one of the two gets the other as that. */
function fitArea(one: Annotation, image: ImageRecord, holds: Holds, lose: Lose): Shape {
  if (one.mask) {
    if (holds.mask) {
      if (one.polygons) lose('polygon lost');
      return { mask: one.mask };
    }
    if (holds.polygon) {
      const { rings, hasHoles } = outlinesOfMask(one.mask);
      lose('mask became outlines');
      if (hasHoles) lose('holes of masks lost');
      return rings.length > 0 ? { polygons: rings } : {};
    }
    lose(holds.box ? 'mask became box' : 'mask lost');
    const bounds = boundsOfMask(one.mask);
    return holds.box && !one.box && bounds ? { box: bounds } : {};
  }
  if (!one.polygons) return {};
  if (holds.polygon) return { polygons: one.polygons };
  if (holds.mask && image.width && image.height) {
    lose('outlines became mask');
    return { mask: maskOfPolygons(one.polygons, image.width, image.height) };
  }
  lose(holds.box ? 'outlines became box' : 'polygon lost');
  const bounds = boundsOfRings(one.polygons);
  return holds.box && !one.box && bounds ? { box: bounds } : {};
}

function fitBox(box: NonNullable<Annotation['box']>, holds: Holds, lose: Lose): Shape {
  if (!box.rotation || holds.rotation) {
    if (holds.box) return { box };
    if (holds.polygon) {
      lose('box became outlines');
      return { polygons: [cornersOfBox(box)] };
    }
    lose('box lost');
    return {};
  }
  const corners = cornersOfBox(box);
  if (holds.polygon) {
    lose('rotation became outlines');
    return { polygons: [corners] };
  }
  if (!holds.box) {
    lose('box lost');
    return {};
  }
  lose('rotation became upright box');
  const bounds = boundsOfRings([corners]);
  return bounds ? { box: bounds } : {};
}

/** Bounds of what an annotation shows, for formats that want a box beside it. */
export function boundsOf(one: Annotation) {
  if (one.box) return one.box;
  if (one.mask) return boundsOfMask(one.mask);
  if (one.polygons) return boundsOfRings(one.polygons);
  return one.keypoints ? boundsOfKeypoints(one.keypoints) : undefined;
}
