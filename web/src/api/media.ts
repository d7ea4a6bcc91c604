import type { Concept, Data, HostedURL, Input } from '@fovea/contract/rest';
import { code } from './trouble.ts';

export type InputState = 'ready' | 'pending' | 'processing' | 'failed';
export type MediaKind = 'image' | 'video' | 'audio' | 'text';

/** How far the server is with an input. */
export function stateOf(status: { readonly code?: number } | undefined): InputState {
  switch (status?.code) {
    case undefined:
    case 0:
    case code.inputReady:
      return 'ready';
    case code.inputPending:
      return 'pending';
    case code.inputInProgress:
      return 'processing';
    default:
      return 'failed';
  }
}

export function kindOf(data: Data | undefined): MediaKind {
  if (data?.video) return 'video';
  if (data?.audio) return 'audio';
  if (data?.image) return 'image';
  return data?.text ? 'text' : 'image';
}

/** Path of hosted media on this very server, whatever address the server believes it has. */
export function hostedPath(hosted: HostedURL | undefined, size: string): string | undefined {
  if (!hosted?.prefix || !hosted.suffix) return undefined;
  const fits = hosted.sizes?.includes(size) ?? true;
  const prefix = new URL(hosted.prefix, location.origin).pathname.replace(/\/$/, '');
  return `${prefix}/${fits ? size : 'orig'}/${hosted.suffix}`;
}

/** Starts to fetch the picture that is about to be opened, while the screen that shows it is still being made. */
export function fetchAhead(input: Input): void {
  const path = hostedPath(input.data?.image?.hosted, 'orig');
  if (path) new Image().src = path;
}

/** Path of one frame of a video, by its number from 0, exactly as the server decodes it. */
export function framePath(input: Input, frame: number): string {
  const { prefix = '', suffix = '' } = input.data?.video?.hosted_thumbnail ?? {};
  return `${new URL(prefix, location.origin).pathname.replace(/\/$/, '')}/thumbnail/${suffix}?frame=${frame}`;
}

/** Path of the picture that stands for an input: itself, the thumbnail of a video, the waveform of a sound. */
export function picturePath(data: Data | undefined, size: 'tiny' | 'small' | 'large'): string | undefined {
  if (data?.image) return hostedPath(data.image.hosted, size);
  if (data?.video) return hostedPath(data.video.hosted_thumbnail, size);
  if (data?.audio?.hosted?.sizes?.includes('thumbnail')) return hostedPath(data.audio.hosted, 'thumbnail');
  return undefined;
}

/** Width over height, 4:3 where the server has not looked yet. */
export function aspectOf(data: Data | undefined): number {
  const info = data?.image?.image_info ?? data?.video?.video_info;
  return info?.width && info.height ? info.width / info.height : 4 / 3;
}

/** What to call an input: the name of its file where known. */
export function nameOf(input: Input): string {
  const filename = input.data?.metadata?.['filename'];
  return typeof filename === 'string' && filename !== '' ? filename : (input.id ?? '');
}

/** What a whole input is said to show in any of these, each concept once. */
export function labelsOf(...said: readonly (Data | undefined)[]): Concept[] {
  const shown = said.flatMap((data) => data?.concepts ?? []).filter(({ value }) => (value ?? 0) > 0);
  return [...new Map(shown.map((concept) => [concept.id, concept])).values()];
}

export const conceptName = (concept: { readonly id?: string; readonly name?: string }): string =>
  concept.name || concept.id || '';
