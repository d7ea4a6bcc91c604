import { idTrouble } from '#domain/ids.ts';

export const inputKinds = ['image', 'video', 'audio', 'text'] as const;
export type InputKind = (typeof inputKinds)[number];

/** Hosted sizes besides the original, there once the medium was processed. */
export const renderedSizes: Record<InputKind, readonly string[]> = {
  image: ['tiny', 'small', 'large'],
  video: ['thumbnail'],
  audio: ['thumbnail'],
  text: [],
};

/** Statuses an input can wait in; everything else is final. */
export const inputStatus = { processed: 30000, pending: 30001, failed: 30002, inProgress: 30003 } as const;

export const isOpenStatus = (code: number): boolean =>
  code === inputStatus.pending || code === inputStatus.inProgress;

/** The most inputs of one request, and the least that the contract calls a batch. */
export const inputsPerRequestMax = 128;

export interface MediaLimits {
  imageBytesMax: number;
  pixelsMax: number;
  textBytesMax: number;
  audioBytesMax: number;
  /** Of a video sent as bytes. */
  videoBytesMax: number;
  videoUrlBytesMax: number;
  /** Of videos and sounds. */
  durationSecondsMax: number;
  /** Of one frame of a video. */
  videoPixelsMax: number;
  fetchTimeoutMs: number;
}

/**
 * Source: the contract's published limits: images 85 megapixels and 20 MB, text and audio 20 MB, videos 128 MB as
 * bytes, 300 MB and 10 minutes by URL. Formats and frames: see the engine.
 */
export const defaultMediaLimits: MediaLimits = {
  imageBytesMax: 20_000_000,
  pixelsMax: 85_000_000,
  textBytesMax: 20_000_000,
  audioBytesMax: 20_000_000,
  videoBytesMax: 128_000_000,
  videoUrlBytesMax: 300_000_000,
  durationSecondsMax: 600,
  videoPixelsMax: 36_000_000,
  fetchTimeoutMs: 30_000,
};

/** The most bytes of a medium that comes along with a request, or from a URL. */
export function bytesMaxOf(kind: InputKind, limits: MediaLimits, from: 'request' | 'url'): number {
  if (kind === 'video') return from === 'url' ? limits.videoUrlBytesMax : limits.videoBytesMax;
  return { image: limits.imageBytesMax, text: limits.textBytesMax, audio: limits.audioBytesMax }[kind];
}

/** Why an input cannot have this id, or undefined when it can. */
export const inputIdTrouble = (id: string): string | undefined => idTrouble(id, 'input');

/** Why this cannot be fetched, or undefined when it may be tried; whether it is public is the fetcher's to say. */
export function urlTrouble(url: string): string | undefined {
  if (url.length > 4096) return 'is longer than 4096 characters';
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return 'is not a URL';
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    return 'must begin with http:// or https://';
  if (parsed.username !== '' || parsed.password !== '') return 'must not hold a user name or password';
  return undefined;
}

/** Ids to try for an input whose own is taken (InputIDConflictResolution.SUFFIX); after these a random one. */
export const suffixedIds = (id: string): string[] => [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `${id}-${n}`);

export interface PositionedId {
  readonly position: number;
  readonly id: string;
}

/** Positions whose id came earlier in the same request: errors, whatever the conflict resolution. */
export function laterTwins(ids: readonly PositionedId[]): Set<number> {
  const seen = new Set<string>();
  const twins = new Set<number>();
  for (const { position, id } of ids) {
    if (seen.has(id)) twins.add(position);
    seen.add(id);
  }
  return twins;
}

/** Width and height in a JPEG's frame header, or undefined where there is none (ITU T.81, B.2.2). */
export function jpegSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const word = (offset: number) => ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { width: word(at + 7), height: word(at + 5) };
    at += 2 + word(at + 2);
  }
  return undefined;
}
