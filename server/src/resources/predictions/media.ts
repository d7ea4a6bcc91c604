import { clone, create } from '@bufbuild/protobuf';
import { type Data, DataSchema, type Input, InputSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { Video } from '#engine/media/index.ts';
import { decodeText } from '#engine/text.ts';
import { FetchFault } from '#store/fetcher/index.ts';
import type { PredictDeps } from './deps.ts';
import { predictionFault } from './faults.ts';

/** One input of a prediction. Bytes are fetched when first asked for, once, so that all models share one decoding. */
export interface Media {
  readonly data: Data;
  /** Which kinds of content it has: image, text, concepts, regions … */
  readonly kinds: readonly string[];
  image(): Promise<Buffer>;
  text(): Promise<string>;
  /** Opens the video for as long as `use` runs, which must not open another. @throws Fault as the decoder */
  withVideo<T>(use: (video: OpenVideo) => Promise<T>): Promise<T>;
}

export type OpenVideo = Omit<Video, 'close'>;

const videoBytesMaxDefault = 300_000_000;

/** @throws Fault 30104 for an input without content, 11101 for an id that is not there */
export async function openMedia(
  deps: PredictDeps,
  grant: AppGrant,
  input: Input,
  signal: AbortSignal,
): Promise<Media> {
  const data = input.data ?? create(DataSchema);
  const kinds = kindsOf(data);
  if (kinds.length > 0) return mediaOf(deps, data, signal, grant.isMember ? grant : undefined);
  if (input.id === '') throw predictionFault.emptyInput();
  // A public app shows its models to strangers, never its inputs.
  const stored = grant.isMember ? await deps.findStoredInput(grant, input.id) : undefined;
  if (!stored) throw predictionFault.noSuchInput(input.id);
  const bytes = once(() => stored.bytes());
  return {
    data: stored.input.data ?? data,
    kinds: [stored.kind],
    image: bytes,
    text: async () => textIn(await bytes()),
    withVideo: async (use) => deps.media.withVideo(() => stored.stream(), use, { signal }),
  };
}

/**
 * Media of data that came along, or that a model made.
 *
 * @param member whose app's media are read where their URL is the one that this server hosts them under
 */
export function mediaOf(deps: PredictDeps, data: Data, signal: AbortSignal, member?: AppGrant): Media {
  const hosted = async (kind: 'image' | 'text' | 'video', url: string) =>
    member && deps.readHosted?.(member, kind, url);
  const bytesAt = async (kind: 'image' | 'text', url: string) =>
    (await hosted(kind, url)) ?? (await fetchBytes(deps, url, signal));
  return {
    data,
    kinds: kindsOf(data),
    image: once(async () => {
      const { image } = data;
      if (image && image.base64.length > 0) return bufferOf(image.base64);
      if (!image?.url) throw predictionFault.emptyInput();
      return bytesAt('image', image.url);
    }),
    text: once(async () => {
      const { text } = data;
      if (text?.raw) return text.raw;
      if (!text?.url) throw predictionFault.emptyInput();
      return textIn(await bytesAt('text', text.url));
    }),
    async withVideo(use) {
      const { video } = data;
      if (video && video.base64.length > 0) return deps.media.withVideo(video.base64, use, { signal });
      if (!video?.url) throw predictionFault.emptyInput();
      const { url } = video;
      const own = await hosted('video', url);
      if (own) return deps.media.withVideo(own, use, { signal });
      const limits = {
        sizeBytesMax: deps.limits?.videoUrlBytesMax ?? videoBytesMaxDefault,
        timeoutMs: videoTimeoutMs,
      };
      const source = async () => (await deps.fetcher.open(url, { ...limits, signal })).stream;
      return unfaulted(() => deps.media.withVideo(source, use, { signal }));
    },
  };
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);

function kindsOf(data: Data): string[] {
  const kinds: string[] = [];
  if (data.image && (data.image.url || data.image.base64.length > 0)) kinds.push('image');
  if (data.text && (data.text.raw || data.text.url)) kinds.push('text');
  if (data.video && (data.video.url || data.video.base64.length > 0)) kinds.push('video');
  if (data.audio && (data.audio.url || data.audio.base64.length > 0)) kinds.push('audio');
  if (data.embeddings.length > 0) kinds.push('embeddings');
  if (data.concepts.length > 0) kinds.push('concepts');
  if (data.regions.length > 0) kinds.push('regions');
  if (data.frames.length > 0) kinds.push('frames');
  if (data.parts.length > 0) kinds.push('parts');
  return kinds;
}

/** @throws Fault 30300 for bytes that are no text */
function textIn(bytes: Buffer): string {
  const decoded = decodeText(bytes);
  if (!decoded) throw predictionFault.notText();
  return decoded.text;
}

const videoTimeoutMs = 300_000;

const fetchBytes = (deps: PredictDeps, url: string, signal: AbortSignal): Promise<Buffer> =>
  unfaulted(async () => (await deps.fetcher.fetch(url, { signal })).bytes);

/** What kept a medium from being fetched, as the contract says it. */
async function unfaulted<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof FetchFault)) throw cause;
    switch (cause.kind) {
      case 'invalid':
      case 'forbidden':
        throw predictionFault.badUrl(cause.message);
      case 'too_large':
        throw predictionFault.tooLarge(cause.message);
      case 'unreachable':
      case 'timeout':
        throw predictionFault.unreachable(cause.message, cause);
      case 'http':
        throw predictionFault.notDelivered(cause.message, cause);
    }
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const bytesGiven = Buffer.from('true');
const mediaKinds = ['image', 'video', 'audio'] as const;

/** The request as it is shown back: without megabytes (SEMANTICS trap 25), which are not copied on the way either. */
export function echoOf(input: Input): Input {
  const given = mediaKinds.map((kind) => input.data?.[kind]).filter((medium) => medium !== undefined);
  const bytes = given.map(({ base64 }) => base64);
  for (const medium of given) if (medium.base64.length > 0) medium.base64 = bytesGiven;
  const echo = clone(InputSchema, input);
  for (const [at, medium] of given.entries()) medium.base64 = bytes[at] as Uint8Array<ArrayBuffer>;
  echo.id ||= newId();
  return echo;
}
