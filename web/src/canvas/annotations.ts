import type { Annotation, Data, FrameInfo, Region } from '@fovea/contract/rest';
import { hostedPath } from '../api/media.ts';
import { base64Of } from '../upload/files.ts';
import type { FrameClock } from './frames.ts';
import { type Home, isPlain, shownConcept } from './homes.ts';
import { bitsOf, type Mask, maskFrom } from './mask.ts';
import type { ConceptRef, Geometry, Mark, Shape } from './shapes.ts';
import type { Size } from './view.ts';

export interface WritingOptions {
  readonly order?: number | undefined;
  readonly clock?: FrameClock | undefined;
  /** The server has it already, and what is not said would stay as it is there. */
  readonly isKnown?: boolean;
}

/**
 * Shapes as annotations, one each: the contract keeps edges and corners as fractions of the picture, and masks as
 * pictures. Pixels and fractions turn into each other without loss: 32-bit fractions of a picture of up to 65,000
 * pixels are nearer to their pixel than to any other.
 */
export async function annotationOf(
  item: Shape | Mark,
  inputId: string,
  size: Size,
  { order, clock, isKnown }: WritingOptions = {},
): Promise<Annotation> {
  if (!('geometry' in item)) return { id: item.id, input_id: inputId, data: dataOfMark(item) };
  const shape = item;
  const region: Region = {
    id: shape.id,
    region_info: await regionInfoOf(shape.geometry, size),
    ...(shape.concept || shape.text ? { data: dataOfShape(shape) } : {}),
    ...(shape.trackId === undefined ? {} : { track_id: shape.trackId }),
  };
  const data =
    shape.frame === undefined
      ? { regions: [region] }
      : {
          frames: [
            {
              frame_info: { number: shape.frame, time: clock?.timeOf(shape.frame) ?? 0 },
              data: { regions: [region] },
            },
          ],
        };
  const info = {
    ...(shape.isLocked || isKnown ? { locked: shape.isLocked } : {}),
    ...(shape.frame === undefined ? {} : { outside_after: shape.outsideAfter ?? false }),
    ...(order === undefined ? {} : { order }),
  };
  return {
    id: shape.id,
    input_id: inputId,
    data,
    ...(Object.keys(info).length > 0 ? { annotation_info: { fovea: info } } : {}),
  };
}

const dataOfShape = ({ concept, text }: Shape): Data => ({
  ...(concept ? { concepts: [{ id: concept.id, name: concept.name, value: 1 }] } : {}),
  ...(text ? { text: { raw: text } } : {}),
});

function dataOfMark({ id, kind, from, to, concept }: Mark): Data {
  const data = { concepts: [{ id: concept.id, name: concept.name, value: 1 }] };
  return kind === 'segment'
    ? { time_segments: [{ id, time_info: { begin_time: from, end_time: to }, data }] }
    : { regions: [{ id, region_info: { span: { char_start: from, char_end: to } }, data }] };
}

/** Labelled stretches among annotations, in order. */
export function marksOf(annotations: readonly Annotation[]): Mark[] {
  const found = annotations.flatMap((annotation): (Mark | undefined)[] => {
    const { data } = annotation;
    return [
      ...(data?.time_segments ?? []).map(({ id = '', time_info, data: inner }) =>
        markOf(annotation, { list: 'time_segments', segment: id }, inner, {
          kind: 'segment',
          from: time_info?.begin_time ?? 0,
          to: time_info?.end_time ?? 0,
        }),
      ),
      ...(data?.regions ?? []).map(({ id = '', region_info, data: inner }) =>
        region_info?.span
          ? markOf(annotation, { list: 'regions', region: id }, inner, {
              kind: 'span',
              from: region_info.span.char_start ?? 0,
              to: region_info.span.char_end ?? 0,
            })
          : undefined,
      ),
    ];
  });
  return found.filter((mark) => mark !== undefined).toSorted((a, b) => a.from - b.from || a.to - b.to);
}

function markOf(
  annotation: Annotation,
  part: Home['part'],
  data: Data | undefined,
  where: Pick<Mark, 'kind' | 'from' | 'to'>,
): Mark | undefined {
  const concept = shownConcept(data?.concepts);
  return concept && { ...placeOf(annotation, part), ...where, concept: conceptRefOf(concept) };
}

/** The id of a part of an annotation, and its home where it has to go back into one. */
function placeOf(annotation: Annotation, part: Home['part']): { id: string; home?: Home } {
  const { id = '' } = annotation;
  if (isPlain(annotation)) return { id };
  const name = part.list === 'time_segments' ? part.segment : part.region;
  return { id: `${id} ${name}`, home: { annotation, part } };
}

async function regionInfoOf(geometry: Geometry, { width, height }: Size): Promise<Region['region_info']> {
  switch (geometry.kind) {
    case 'box': {
      const { left, top, right, bottom } = geometry.box;
      return {
        bounding_box: {
          top_row: top / height,
          left_col: left / width,
          bottom_row: bottom / height,
          right_col: right / width,
        },
      };
    }
    case 'polygon':
      return {
        polygon: { points: geometry.points.map(({ x, y }) => ({ row: y / height, col: x / width })) },
      };
    case 'point':
      return { point: { row: geometry.point.y / height, col: geometry.point.x / width } };
    case 'mask':
      return { mask: { image: { base64: await base64Of(await pngOf(geometry.mask)) } } };
  }
}

/** White where it is on, black elsewhere, as large as the picture. */
export async function pngOf(mask: Mask): Promise<Blob> {
  const bits = bitsOf(mask);
  const pixels = new ImageData(mask.width, mask.height);
  for (const [i, bit] of bits.entries()) {
    const level = bit * 255;
    pixels.data.set([level, level, level, 255], i * 4);
  }
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}

/** What the fovea part of annotation_info says. */
interface Info {
  readonly locked?: boolean;
  readonly order?: number;
  readonly outside_after?: boolean;
}

/** The number of a frame; models say it, others may say its time alone. */
const frameNumber = (info: FrameInfo | undefined, clock: FrameClock | undefined): number =>
  info?.number || (info?.time && clock ? clock.at(info.time) : 0);

/**
 * Shapes of annotations as the server lists them, the newest first, in drawing order: the newest on top where nobody
 * said otherwise. Annotations without a place are left out.
 */
export async function shapesOf(
  annotations: readonly Annotation[],
  size: Size,
  clock?: FrameClock,
): Promise<Shape[]> {
  const found: { shape: Shape; order: number }[] = [];
  for (const [i, annotation] of annotations.entries()) {
    const info = (annotation.annotation_info?.['fovea'] ?? {}) as Info;
    for (const { region, frame, part } of placesIn(annotation, clock)) {
      const geometry = await geometryOf(region, size);
      if (!geometry) continue;
      const concept = shownConcept(region.data?.concepts);
      found.push({
        order: info.order ?? annotations.length - i,
        shape: {
          ...placeOf(annotation, part),
          geometry,
          concept: concept && conceptRefOf(concept),
          isLocked: info.locked ?? false,
          frame,
          trackId: region.track_id || undefined,
          ...(info.outside_after ? { outsideAfter: true } : {}),
          ...(info.order === undefined ? {} : { order: info.order }),
          ...(region.data?.text?.raw ? { text: region.data.text.raw } : {}),
        },
      });
    }
  }
  return found.toSorted((a, b) => a.order - b.order).map(({ shape }) => shape);
}

interface Place {
  readonly region: Region;
  readonly frame: number | undefined;
  readonly part: Home['part'];
}

/** The regions of an annotation, those in frames too. */
const placesIn = ({ data }: Annotation, clock: FrameClock | undefined): Place[] => [
  ...(data?.regions ?? []).map(
    (region): Place => ({ region, frame: undefined, part: { list: 'regions', region: region.id ?? '' } }),
  ),
  ...(data?.frames ?? []).flatMap(({ frame_info, data: inner }) =>
    (inner?.regions ?? []).map(
      (region): Place => ({
        region,
        frame: frameNumber(frame_info, clock),
        part: { list: 'frames', region: region.id ?? '' },
      }),
    ),
  ),
];

export const conceptRefOf = (concept: { readonly id?: string; readonly name?: string }): ConceptRef => ({
  id: concept.id ?? '',
  name: concept.name || (concept.id ?? ''),
});

/** A region as a shape in pixels of the picture; undefined for regions of texts and the like. */
export async function geometryOf(region: Region, size: Size): Promise<Geometry | undefined> {
  const info = region.region_info;
  const { width, height } = size;
  if (info?.bounding_box) {
    const { left_col = 0, top_row = 0, right_col = 0, bottom_row = 0 } = info.bounding_box;
    return {
      kind: 'box',
      box: {
        left: Math.round(left_col * width),
        top: Math.round(top_row * height),
        right: Math.round(right_col * width),
        bottom: Math.round(bottom_row * height),
      },
    };
  }
  if (info?.polygon?.points) {
    const points = info.polygon.points.map(({ row = 0, col = 0 }) => ({
      x: Math.round(col * width),
      y: Math.round(row * height),
    }));
    return { kind: 'polygon', points };
  }
  if (info?.point) {
    const { row = 0, col = 0 } = info.point;
    return { kind: 'point', point: { x: Math.round(col * width), y: Math.round(row * height) } };
  }
  if (info?.mask?.image) {
    const mask = await readMask(info.mask.image, size);
    return mask && { kind: 'mask', mask };
  }
  return undefined;
}

type MaskImage = NonNullable<NonNullable<NonNullable<Region['region_info']>['mask']>['image']>;

async function readMask(image: MaskImage, size: Size): Promise<Mask | undefined> {
  const path =
    hostedPath(image.hosted, 'orig') ??
    (image.url ? new URL(image.url, location.origin).pathname : undefined);
  let blob: Blob | undefined;
  if (image.base64) blob = new Blob([Uint8Array.from(atob(image.base64), (letter) => letter.charCodeAt(0))]);
  else if (path) blob = await (await fetch(path)).blob();
  if (!blob) return undefined;
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return undefined;
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, 0, 0, size.width, size.height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, size.width, size.height);
  const bits = new Uint8Array(size.width * size.height);
  // On is what is bright and not clear: the same for black and white pictures and for those that use alpha.
  for (let i = 0; i < bits.length; i++)
    bits[i] = (data[4 * i] as number) > 127 && (data[4 * i + 3] as number) > 127 ? 1 : 0;
  return maskFrom(bits, size.width, size.height);
}
