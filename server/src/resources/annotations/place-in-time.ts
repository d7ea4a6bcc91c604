import type { Annotation, Data, Region } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import type { AnnotationParts, FoundInput, PictureSize } from './deps.ts';

/** How long an input is, as far as that is known. */
export type Extent = Pick<PictureSize, 'frameCount' | 'durationSeconds'> & { readonly charCount?: number };

/** Rounding of durations, and clients that name the end of the last frame. */
const graceMs = 1_000;

/** Kinds of inputs that have moments; what has none yet is whatever it will be. */
const timed: Readonly<Record<string, 'frames' | 'segments' | 'none'>> = {
  image: 'none',
  text: 'none',
  audio: 'segments',
  video: 'frames',
};

/** Why frames, time segments or spans of text cannot be of an input, or undefined. Frames are numbered from 0. */
export function momentTrouble(
  { regions, frames, timeSegments }: Pick<Data, 'regions' | 'frames' | 'timeSegments'>,
  input: Pick<FoundInput, 'id' | 'kind'>,
  extent: Extent | undefined,
): string | undefined {
  const has = timed[input.kind];
  if (frames.length > 0 && has !== undefined && has !== 'frames')
    return `data.frames: the input '${input.id}' is of kind ${input.kind}; frames are of videos.`;
  if (timeSegments.length > 0 && has === 'none')
    return `data.time_segments: the input '${input.id}' is of kind ${input.kind}; times are of videos and sounds.`;
  const { frameCount = 0, durationSeconds = 0, charCount = 0 } = extent ?? {};
  for (const [i, region] of regions.entries()) {
    const { charEnd = 0 } = spanOf(region) ?? {};
    if (charCount > 0 && charEnd > charCount)
      return `data.regions[${i}].region_info: char_end is ${charEnd}; the text has ${charCount} characters.`;
  }
  const endMs = durationSeconds * 1000;
  for (const [i, { frameInfo }] of frames.entries()) {
    const { number = 0, time = 0 } = frameInfo ?? {};
    if (frameCount > 0 && number >= frameCount)
      return `data.frames[${i}].frame_info.number is ${number}; the video has ${frameCount} frames, numbered from 0.`;
    if (endMs > 0 && time > endMs + graceMs)
      return `data.frames[${i}].frame_info.time is ${time} ms; the video ends at ${Math.round(endMs)} ms.`;
  }
  return undefined;
}

const saysWhen = ({ data }: Annotation): boolean => (data?.frames.length ?? 0) > 0;

const spanOf = ({ regionInfo }: Region) => regionInfo?.span ?? regionInfo?.token;
const saysWhere = ({ data }: Annotation): boolean => data?.regions.some((region) => spanOf(region)) ?? false;

/** Checks of patches, whose inputs were not looked up yet. @returns what is wrong with the moments of one, or undefined */
export async function openMoments(
  parts: AnnotationParts,
  db: Db,
  grant: AppGrant,
  sent: readonly Annotation[],
): Promise<(data: Data, inputId: string) => string | undefined> {
  const ids = new Set(
    sent
      .filter(
        (one) => one.data && (one.data.frames.length + one.data.timeSegments.length > 0 || saysWhere(one)),
      )
      .map(({ inputId }) => inputId),
  );
  if (ids.size === 0) return () => undefined;
  const inputs = new Map((await parts.findInputs(db, grant, [...ids])).map((input) => [input.id, input]));
  const extents = await extentsOf(parts, db, grant, sent, inputs);
  return (data, inputId) => {
    const input = inputs.get(inputId);
    return input && momentTrouble(data, input, extents.get(input.key));
  };
}

/** How long the inputs are that annotations name frames or characters of, by row key. */
export async function extentsOf(
  { pictureSizes, textLengths }: AnnotationParts,
  db: Db,
  grant: AppGrant,
  sent: readonly Annotation[],
  inputs: ReadonlyMap<string, FoundInput>,
): Promise<ReadonlyMap<number, Extent>> {
  const keysOf = (some: readonly Annotation[]) => [
    ...new Set(some.flatMap(({ inputId }) => inputs.get(inputId)?.key ?? [])),
  ];
  const videos = keysOf(sent.filter(saysWhen));
  const texts = keysOf(sent.filter(saysWhere));
  const extents = new Map<number, Extent>(videos.length === 0 ? [] : await pictureSizes(db, grant, videos));
  if (texts.length > 0)
    for (const [key, charCount] of await textLengths(db, grant, texts))
      extents.set(key, { ...extents.get(key), charCount });
  return extents;
}
