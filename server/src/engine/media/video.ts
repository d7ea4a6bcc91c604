import sharp from 'sharp';
import { mediaFault } from './faults.ts';
import { type Frame, readRun, runsOf, type Size } from './frame-reader.ts';
import { FrameIndex, type FrameTimes, type SampledTime, windowsOf } from './frame-times.ts';
import {
  type Marks,
  marksOfDecoding,
  marksOfPackets,
  numberIn,
  type OpenFile,
  type Probe,
  probe,
  quarterTurns,
  rationalIn,
} from './probe.ts';

export interface VideoFacts {
  /** Size in pixels after turning the frames upright. */
  readonly width: number;
  readonly height: number;
  /** Frames per second, on average. */
  readonly fps: number;
  readonly format: string;
  /** As ffmpeg names it: `h264`, `vp9` … */
  readonly codec: string;
  /** Bits per second of the video track. */
  readonly bitRate: number;
  readonly frameCount: number;
  readonly durationSeconds: number;
}

export interface FrameOptions {
  /** Longest side in pixels of what is delivered; smaller frames are never enlarged. Default: as the video has it. */
  readonly edgeMax?: number;
  readonly signal?: AbortSignal | undefined;
}

/** An opened video. Times are milliseconds from its start, whole, rounded down; frames are numbered from 0. */
export interface Video {
  readonly facts: VideoFacts;
  readonly times: FrameTimes;
  /** The frame that is on the screen at a time, or the one of a number. @throws Fault 30104 · 30300 */
  frameAt(where: { timeMs: number } | { number: number }, options?: FrameOptions): Promise<Frame>;
  /** Frames by number, which must rise; decoded as they are asked for. @throws Fault 30104 · 30300 */
  frames(numbers: readonly number[], options?: FrameOptions): AsyncGenerator<Frame>;
  /** One time per window of `sampleMs`, in its middle, and the frame that is on the screen then. */
  windows(sampleMs: number): SampledTime[];
  /** The frames of those windows, in order. */
  sampled(sampleMs: number, options?: FrameOptions): AsyncGenerator<SampledTime & { frame: Frame }>;
  close(): Promise<void>;
}

/** What is read of a video before its first frame is decoded: dear to find, and always the same for the same bytes. */
export interface VideoIndex {
  readonly facts: VideoFacts;
  readonly index: FrameIndex;
}

/**
 * Reads what a video is and when its frames are shown.
 *
 * @throws Fault 30101 without a picture track · 30105 over a limit · 30300 unreadable
 */
export async function indexVideo(
  file: OpenFile,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<VideoIndex> {
  const probed = await probe(file, signal);
  const stream = probed.streams.find(
    (one) => one.codec_type === 'video' && one.disposition?.attached_pic !== 1,
  );
  if (!stream) throw mediaFault.unsupportedFormat('video', 'the file has no picture track');
  const { width = 0, height = 0 } = stream;
  if (width <= 0 || height <= 0) throw mediaFault.undecodable('video', 'the size of its frames is not known');
  checkLimits(file, probed, width, height);
  const marks = (await marksOfPackets(file, stream, signal)) ?? (await marksOfDecoding(file, signal));
  if (marks.marks.length === 0) throw mediaFault.undecodable('video', 'it has no frames');
  const index = indexOf(marks, probed, stream);
  const durationSeconds = index.durationMs / 1000;
  if (durationSeconds > file.limits.durationSecondsMax)
    throw mediaFault.tooLong('video', durationSeconds, file.limits.durationSecondsMax);
  const isTurned = quarterTurns(stream) % 2 === 1;
  const upright = isTurned ? { width: height, height: width } : { width, height };
  const facts: VideoFacts = {
    ...upright,
    fps: fpsOf(index, stream.avg_frame_rate),
    format: file.found.format,
    codec: stream.codec_name ?? '',
    bitRate: Math.round(numberIn(stream.bit_rate) || probed.bitRate || (8 * sizeBytes) / durationSeconds),
    frameCount: index.count,
    durationSeconds,
  };
  return { facts, index };
}

function checkLimits({ limits }: OpenFile, { durationSeconds }: Probe, width: number, height: number): void {
  if (width * height > limits.pixelsMax) throw mediaFault.tooManyPixels(width, height, limits.pixelsMax);
  if (durationSeconds > limits.durationSecondsMax)
    throw mediaFault.tooLong('video', durationSeconds, limits.durationSecondsMax);
}

/**
 * The clock of a file begins where its first track begins, so that sound that comes first is heard before the
 * first frame; the lead that encoders put before the start of sound has negative times, and does not count.
 */
function indexOf(
  { marks, lastTicks }: Marks,
  { startSeconds }: Probe,
  stream: { time_base?: string; avg_frame_rate?: string },
): FrameIndex {
  const timeBase = rationalIn(stream.time_base);
  const ticksPerSecond = timeBase.num > 0 ? timeBase.den / timeBase.num : 1;
  const first = marks.reduce((least, { pts }) => Math.min(least, pts), Number.POSITIVE_INFINITY);
  const origin =
    startSeconds > 0 ? Math.min(first, Math.round(startSeconds * ticksPerSecond)) : Math.min(0, first);
  const rate = rationalIn(stream.avg_frame_rate);
  const usual = rate.num > 0 ? (ticksPerSecond * rate.den) / rate.num : 0;
  return new FrameIndex(marks, timeBase, origin, lastTicks || usual);
}

function fpsOf(index: FrameIndex, averageRate: string | undefined): number {
  const { num, den } = rationalIn(averageRate);
  const told = num / den;
  const counted = (index.count * 1000) / index.durationMs;
  const fps = told > 0 && told < 1000 ? told : counted;
  return Number.isFinite(fps) ? Math.round(fps * 1000) / 1000 : 0;
}

/** The frames of a video that is laid down as a file. */
export function openFrames(file: OpenFile, { facts, index }: VideoIndex): Omit<Video, 'close'> {
  const known = (number: number) => {
    if (!Number.isInteger(number) || number < 0 || number >= index.count)
      throw mediaFault.noFrame(number, index.count);
    return number;
  };
  async function* frames(
    numbers: readonly number[],
    { edgeMax, signal }: FrameOptions = {},
  ): AsyncGenerator<Frame> {
    for (const run of runsOf(index, numbers.map(known)))
      yield* readRun(file, index, run, within(facts, edgeMax), signal);
  }
  return {
    facts,
    times: index,
    frames,
    async frameAt(where, options) {
      const number = 'number' in where ? where.number : index.numberAt(where.timeMs);
      for await (const frame of frames([number], options)) return frame;
      throw mediaFault.noFrame(number, index.count);
    },
    windows: (sampleMs) => windowsOf(index, sampleMs),
    async *sampled(sampleMs, options) {
      const times = windowsOf(index, sampleMs);
      const source = frames([...new Set(times.map(({ number }) => number))], options);
      let frame: Frame | undefined;
      for (const time of times) {
        if (frame?.number !== time.number) frame = (await source.next()).value as Frame;
        yield { ...time, frame };
      }
    },
  };
}

/** A size with its longer side at most `edgeMax`. */
function within({ width, height }: Size, edgeMax = Number.POSITIVE_INFINITY): Size {
  const scale = Math.min(1, edgeMax / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** A frame as a PNG, without loss, for whatever takes encoded images. */
export const encodeFrame = ({ width, height, pixels }: Frame): Promise<Buffer> =>
  sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();

/** A frame as a JPEG, for people to look at. */
export const encodeJpeg = ({ width, height, pixels }: Frame): Promise<Buffer> =>
  sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
