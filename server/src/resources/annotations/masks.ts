import { create } from '@bufbuild/protobuf';
import { type Annotation, type Data, HostedURLSchema, type Image, type Region } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readImageInfo } from '#engine/index.ts';
import { FetchFault } from '#store/fetcher/index.ts';
import type { AnnotationParts, PictureSize } from './deps.ts';
import { maskBytesMax } from './place.ts';

export const maskPath = '/masks';
const fetchesAtOnce = 8;

/** Regions of some data, those inside frames, segments and tracks included, each with where it stands. */
function regionsIn(data: Data | undefined, path = 'data'): { region: Region; path: string }[] {
  if (!data) return [];
  const nested = [
    ...data.frames.map((part, i) => [part.data, `${path}.frames[${i}].data`] as const),
    ...data.timeSegments.map((part, i) => [part.data, `${path}.time_segments[${i}].data`] as const),
    ...data.tracks.map((part, i) => [part.data, `${path}.tracks[${i}].data`] as const),
  ];
  return [
    ...data.regions.map((region, i) => ({ region, path: `${path}.regions[${i}]` })),
    ...nested.flatMap(([inner, at]) => regionsIn(inner, at)),
  ];
}

const masksIn = (data: Data | undefined): { image: Image; path: string }[] =>
  regionsIn(data).flatMap(({ region, path }) => {
    const image = region.regionInfo?.mask?.image;
    return image ? [{ image, path: `${path}.region_info.mask.image` }] : [];
  });

/**
 * Fetches masks that are named by URL and checks that each is a picture shaped like its input. Done before any
 * transaction: other servers take their time.
 *
 * @returns by position in `sent`: why its masks cannot be stored
 */
export async function readyMasks(
  parts: AnnotationParts,
  grant: AppGrant,
  sent: readonly Annotation[],
): Promise<Map<number, string>> {
  const masks = sent.flatMap(({ data, inputId }, position) =>
    masksIn(data).map((mask) => ({ ...mask, inputId, position })),
  );
  // Where it is hosted is told anew each time.
  for (const { image } of masks) image.hosted = undefined;
  const troubles = new Map<number, string>();
  if (masks.length === 0) return troubles;
  const ids = [...new Set(masks.map(({ inputId }) => inputId))];
  const inputs = await parts.findInputs(parts.db, grant, ids);
  const sizes = await parts.pictureSizes(
    parts.db,
    grant,
    inputs.map(({ key }) => key),
  );
  const sizeOf = new Map(inputs.map(({ id, key }) => [id, sizes.get(key)]));
  const waiting = [...masks];
  const work = async () => {
    for (let mask = waiting.shift(); mask; mask = waiting.shift()) {
      const trouble = await maskTrouble(parts, mask.image, mask.path, sizeOf.get(mask.inputId));
      if (trouble && !troubles.has(mask.position)) troubles.set(mask.position, trouble);
    }
  };
  await Promise.all(Array.from({ length: fetchesAtOnce }, work));
  return troubles;
}

/** Puts the bytes behind a URL into the image. @returns why the mask cannot be stored */
async function maskTrouble(
  { fetcher }: AnnotationParts,
  image: Image,
  path: string,
  size: PictureSize | undefined,
): Promise<string | undefined> {
  try {
    if (image.base64.length === 0 && image.url !== '')
      image.base64 = (await fetcher.fetch(image.url, { sizeBytesMax: maskBytesMax })).bytes;
    // What is empty or too large is told by the checks of shapes.
    if (image.base64.length === 0 || image.base64.length > maskBytesMax) return undefined;
    const { width, height } = await readImageInfo(Buffer.from(image.base64));
    if (!size || isLike({ width, height }, size)) return undefined;
    return `${path} is ${width} x ${height} pixels, shaped unlike its input (${size.width} x ${size.height}); a mask covers the whole picture.`;
  } catch (thrown) {
    if (thrown instanceof FetchFault) return `${path}.url: ${thrown.message}`;
    if (thrown instanceof Fault) return `${path} is not a picture: ${thrown.details}`;
    throw thrown;
  }
}

/** Smaller ones are fine where their sides relate as those of the input, to a pixel. */
export const isLike = (mask: PictureSize, input: PictureSize): boolean =>
  Math.abs(mask.width * input.height - mask.height * input.width) <= Math.max(input.width, input.height);

/** Says where each mask can be fetched alone; the bytes stay in the annotation, too. Changes the annotations. */
export function withMaskUrls<A extends Annotation>(
  publicUrl: string,
  grant: AppGrant,
  annotations: A[],
): A[] {
  for (const annotation of annotations) {
    const [mask] = masksIn(annotation.data);
    if (!mask) continue;
    const owner = [grant.userId, grant.appId, annotation.inputId].map(encodeURIComponent);
    mask.image.hosted = create(HostedURLSchema, {
      prefix: `${publicUrl}${maskPath}/users/${owner[0]}/apps/${owner[1]}/inputs/${owner[2]}`,
      suffix: encodeURIComponent(annotation.id),
      sizes: ['orig'],
    });
  }
  return annotations;
}

/** The bytes of the mask that an annotation holds. */
export const maskBytesOf = (annotation: Annotation | undefined): Uint8Array | undefined =>
  masksIn(annotation?.data)[0]?.image.base64;
