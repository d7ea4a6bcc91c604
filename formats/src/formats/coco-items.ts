import {
  attributesOf,
  type Fields,
  fieldsOf,
  get,
  keypointsOf,
  listOf,
  maskOf,
  numberOf,
  numbersOf,
  ringOf,
  shareOf,
  sideOf,
  textField,
} from '../fields.ts';
import { packCounts } from '../geometry/rle.ts';
import { areaOf, boundsOf, withoutDerived } from '../holds.ts';
import { safePath } from '../paths.ts';
import type { Where } from '../problems.ts';
import {
  type Annotation,
  type Box,
  type ClassInfo,
  compact,
  type ImageRecord,
  isPlaced,
  type Keypoint,
  type Mask,
  type Ring,
} from '../record.ts';

/** Single items of COCO files: what they say in our terms, and back. */

export type CocoKind = 'instances' | 'person_keypoints' | 'captions' | 'labels';

/** The file an annotation belongs to. */
export function kindOf(one: Annotation): CocoKind {
  if (one.keypoints) return 'person_keypoints';
  if (isPlaced(one)) return 'instances';
  return one.text === undefined ? 'labels' : 'captions';
}

type Picture = Pick<ImageRecord, 'width' | 'height' | 'path'>;

/** @returns undefined, and reports, for an image without a usable id or name */
export function readImage(item: Fields, split: string | undefined, { path, report }: Where) {
  const number = textField(get(item, 'id'));
  const name = textField(get(item, 'file_name'));
  if (number === undefined || name === undefined) {
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at: `image ${number ?? name ?? '?'}`,
      message: 'has no id or no file_name; left out',
    });
    return undefined;
  }
  const safe = safePath(name);
  if (safe === undefined) {
    report({
      severity: 'error',
      code: 'unsafe-path',
      path,
      at: `image ${number}`,
      message: `file_name "${name.slice(0, 200)}" leads out of the folder; left out`,
    });
    return undefined;
  }
  const frame = numberOf(get(item, 'frame'));
  const record = compact<ImageRecord>({
    id: textField(get(item, 'source_id')) ?? number,
    path: safe,
    width: sideOf(get(item, 'width')),
    height: sideOf(get(item, 'height')),
    split,
    frame: frame !== undefined && frame >= 0 ? Math.trunc(frame) : undefined,
    attributes: attributesOf(get(item, 'attributes')),
  }) as Omit<ImageRecord, 'annotations'>;
  return { number, record };
}

export function readCategory(item: Fields): { number: number; info: ClassInfo } | undefined {
  const number = numberOf(get(item, 'id'));
  const name = textField(get(item, 'name'));
  if (number === undefined || name === undefined) return undefined;
  const keypoints = listOf(get(item, 'keypoints')).map(String);
  const skeleton = listOf(get(item, 'skeleton')).flatMap((edge): [number, number][] => {
    const [from, to] = numbersOf(edge) ?? [];
    return from && to ? [[from - 1, to - 1]] : [];
  });
  const info = compact<ClassInfo>({
    name,
    id: textField(get(item, 'source_id')),
    supercategory: textField(get(item, 'supercategory')) || undefined,
    keypoints: keypoints.length > 0 ? keypoints : undefined,
    skeleton: skeleton.length > 0 ? skeleton : undefined,
  }) as ClassInfo;
  return { number, info };
}

export const showCategory = (number: number, info: ClassInfo) => ({
  id: number,
  name: info.name,
  supercategory: info.supercategory ?? '',
  ...(info.id === undefined ? {} : { source_id: info.id }),
  ...(info.keypoints
    ? { keypoints: info.keypoints, skeleton: (info.skeleton ?? []).map(([from, to]) => [from + 1, to + 1]) }
    : {}),
});

/** @returns undefined, and reports, where nothing of it can be used */
export function readAnnotation(
  item: Fields,
  categories: ReadonlyMap<number, ClassInfo>,
  picture: Picture,
  { path, report }: Where,
): Annotation | undefined {
  const id = textField(get(item, 'source_id')) ?? textField(get(item, 'id'));
  const at = `annotation ${id ?? '?'}`;
  const wrong = (message: string) => report({ severity: 'error', code: 'bad-number', path, at, message });
  const categoryId = numberOf(get(item, 'category_id'));
  const label = categoryId === undefined ? undefined : categories.get(categoryId)?.name;
  if (categoryId !== undefined && label === undefined) {
    report({
      severity: 'warning',
      code: 'unknown-class',
      path,
      at,
      message: `category_id ${categoryId} is not in the list of categories; the annotation has no label`,
    });
  }
  const fields = get(item, 'attributes');
  const { rotation, track_id: track, ...others } = (attributesOf(fields) ?? {}) as Record<string, never>;
  const shape = {
    box: readBox(get(item, 'bbox'), numberOf(rotation), wrong),
    ...readSegmentation(get(item, 'segmentation'), picture, wrong),
    keypoints: readKeypoints(get(item, 'keypoints'), wrong),
    text: textField(get(item, 'caption')),
  };
  const isEmpty = Object.values(shape).every((one) => one === undefined);
  const hadPlace = ['bbox', 'segmentation', 'keypoints'].some((name) => get(item, name) !== undefined);
  if (isEmpty && (label === undefined || hadPlace)) {
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at,
      message: 'has neither a usable place nor a text nor a label alone; left out',
    });
    return undefined;
  }
  const area = numberOf(get(item, 'area'));
  return withoutDerived(
    compact<Annotation>({
      id,
      label,
      ...shape,
      area: area !== undefined && area >= 0 && isPlaced(shape as Annotation) ? area : undefined,
      score: shareOf(get(item, 'score')),
      crowd: Number(get(item, 'iscrowd')) === 1 || undefined,
      track: track === undefined ? undefined : String(track),
      attributes: Object.keys(others).length > 0 ? others : undefined,
    }) as Annotation,
  );
}

function readBox(
  value: unknown,
  rotation: number | undefined,
  wrong: (message: string) => void,
): Box | undefined {
  if (value === undefined || value === null || listOf(value).length === 0) return undefined;
  const numbers = numbersOf(value);
  if (numbers?.length !== 4 || (numbers[2] as number) < 0 || (numbers[3] as number) < 0) {
    wrong('bbox is not [x, y, width, height] with finite numbers; the box is left out');
    return undefined;
  }
  const [x, y, width, height] = numbers as [number, number, number, number];
  return { x, y, width, height, ...(rotation ? { rotation } : {}) };
}

function readSegmentation(
  value: unknown,
  { width, height }: Picture,
  wrong: (message: string) => void,
): { polygons?: Ring[]; mask?: Mask } {
  const rle = fieldsOf(value);
  if (rle) {
    const mask = maskOf(rle);
    if (!mask || (width && height && (mask.width !== width || mask.height !== height))) {
      wrong('segmentation is no run-length mask of the size of the picture; left out');
      return {};
    }
    return { mask };
  }
  const sent = listOf(value);
  const rings = sent.map(ringOf);
  if (rings.some((ring) => ring === undefined))
    wrong('segmentation holds a polygon without three good points; left out');
  const good = rings.filter((ring) => ring !== undefined);
  return good.length > 0 ? { polygons: good } : {};
}

function readKeypoints(value: unknown, wrong: (message: string) => void): Keypoint[] | undefined {
  if (listOf(value).length === 0) return undefined;
  const keypoints = keypointsOf(value);
  if (!keypoints) wrong('keypoints are not x, y, visibility three by three with finite numbers; left out');
  return keypoints;
}

export function showAnnotation(
  one: Annotation,
  picture: Picture,
  { id, imageId, category }: { id: number; imageId: number; category: number | undefined },
): object {
  const own = {
    id,
    image_id: imageId,
    ...(category === undefined ? {} : { category_id: category }),
    ...(one.id !== undefined && one.id !== String(id) ? { source_id: one.id } : {}),
  };
  const more = {
    ...(one.text === undefined ? {} : { caption: one.text }),
    ...(one.score === undefined ? {} : { score: one.score }),
    ...attributesFor(one),
  };
  if (!isPlaced(one)) return { ...own, ...more };
  const box = boundsOf(one);
  return {
    ...own,
    bbox: box ? [box.x, box.y, box.width, box.height] : [],
    area: one.area ?? areaOf(one),
    iscrowd: one.crowd ? 1 : 0,
    segmentation: segmentationOf(one),
    ...(one.keypoints
      ? {
          keypoints: one.keypoints.flatMap(({ x, y, visibility }) => [x, y, visibility]),
          num_keypoints: one.keypoints.filter(({ visibility }) => visibility > 0).length,
        }
      : {}),
    ...more,
  };
}

function segmentationOf({ mask, polygons }: Annotation) {
  if (mask) return { size: [mask.height, mask.width], counts: packCounts(mask.counts) };
  return polygons ?? [];
}

/** Rotation and track travel among the attributes, as CVAT writes them. */
function attributesFor(one: Annotation) {
  const attributes = {
    ...one.attributes,
    ...(one.box?.rotation ? { rotation: one.box.rotation } : {}),
    ...(one.track === undefined ? {} : { track_id: one.track }),
  };
  return Object.keys(attributes).length > 0 ? { attributes } : {};
}
