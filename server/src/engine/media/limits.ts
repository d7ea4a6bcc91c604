import type { ChildLimits } from './child.ts';

/** What a video or a sound may ask of the decoder. */
export interface MediaDecodeLimits extends ChildLimits {
  readonly bytesMax: number;
  /** Of one frame, width × height. */
  readonly pixelsMax: number;
  readonly durationSecondsMax: number;
  readonly framesMax: number;
}

/** Bytes and duration: the contract's published limits for videos. Frames up to 8K. */
export const defaultMediaDecodeLimits: MediaDecodeLimits = {
  bytesMax: 300_000_000,
  pixelsMax: 36_000_000,
  durationSecondsMax: 600,
  framesMax: 1_000_000,
  secondsMax: 120,
  cpuSecondsMax: 3600,
  memoryBytesMax: 3 * 2 ** 30,
};
