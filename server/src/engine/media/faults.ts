import { Fault } from '#domain/fault.ts';

const named = { video: 'video', audio: 'sound' } as const;
export type MediumKind = keyof typeof named;

/** What can go wrong between a video or a sound and its pixels or samples, with the contract's code for each. */
export const mediaFault = {
  noTools: (kind: MediumKind) =>
    new Fault(
      'bad_request',
      30101,
      `This server cannot decode ${kind}: it has no ffmpeg. Its operator can install ffmpeg, or name it in FOVEA_FFMPEG.`,
    ),

  unsupportedFormat: (kind: MediumKind, found: string) =>
    new Fault(
      'bad_request',
      30101,
      kind === 'video'
        ? `Input video format unsupported: ${found}. Send MP4, MOV, AVI, WMV, WebM or 3GPP.`
        : `Input audio format unsupported: ${found}. Send WAV, MP3, FLAC, OGG or M4A.`,
    ),

  tooManyBytes: (kind: MediumKind, bytesMax: number) =>
    new Fault(
      'too_large',
      30105,
      `The ${named[kind]} has more than ${bytesMax} bytes, the most that is accepted.`,
    ),

  tooLong: (kind: MediumKind, seconds: number, secondsMax: number) =>
    new Fault(
      'too_large',
      30105,
      `The ${named[kind]} lasts ${Math.round(seconds)} seconds; at most ${secondsMax} are accepted.`,
    ),

  tooManyPixels: (width: number, height: number, pixelsMax: number) =>
    new Fault(
      'too_large',
      30105,
      `The video has frames of ${width}×${height}; at most ${Math.floor(pixelsMax / 1e6)} megapixels are accepted.`,
    ),

  tooManyFrames: (framesMax: number) =>
    new Fault('too_large', 30105, `The video has more than ${framesMax} frames, the most that is accepted.`),

  undecodable: (kind: MediumKind, reason: string, cause?: unknown) =>
    new Fault('bad_request', 30300, `The ${named[kind]} could not be decoded: ${reason}.`, { cause }),

  tookTooLong: (kind: MediumKind, seconds: number) =>
    new Fault(
      'bad_request',
      30300,
      `The ${named[kind]} could not be decoded: the decoder was stopped after ${seconds} seconds.`,
    ),

  noFrame: (number: number, count: number) =>
    new Fault('bad_request', 30104, `The video has no frame ${number}; it has ${count} frames, from 0.`),
} as const;
