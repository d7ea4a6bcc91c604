import type { Readable } from 'node:stream';
import { startChild } from './child.ts';
import { mediaFault } from './faults.ts';
import type { FrameIndex } from './frame-times.ts';
import { decoderOf, inputOf, type OpenFile, outputOfVideo, readReport } from './probe.ts';

/** One upright frame of a video. */
export interface Frame {
  /** From 0, in the order in which frames are shown. */
  readonly number: number;
  readonly timeMs: number;
  /** Pixels; at most the edge that was asked for. */
  readonly width: number;
  readonly height: number;
  /** RGB, three bytes each, rows from the top. */
  readonly pixels: Buffer;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Frames of one run of the decoder; longer lists are cut into runs. */
const framesPerRun = 48;
/** Over a gap longer than this it is cheaper to begin anew than to decode through. */
const gapMsMax = 5_000;

/** Cuts rising frame numbers into runs that are decoded in one go. */
export function runsOf(index: FrameIndex, numbers: readonly number[]): number[][] {
  const runs: number[][] = [];
  let spans = 0;
  for (const number of numbers) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const isNear = last !== undefined && index.timeMsOf(number) - index.timeMsOf(last) <= gapMsMax;
    if (last !== undefined && number !== last + 1) spans += 1;
    if (run && isNear && spans < framesPerRun) run.push(number);
    else {
      runs.push([number]);
      spans = 0;
    }
  }
  return runs;
}

/**
 * Decodes the frames with these numbers, which must rise. Each is told by its time stamp; where the decoder
 * delivers others than those asked for after a jump, it is run again from the start of the file.
 *
 * @param size upright size to deliver
 * @throws Fault 30300 for a frame that cannot be decoded
 */
export async function* readRun(
  file: OpenFile,
  index: FrameIndex,
  numbers: readonly number[],
  size: Size,
  signal?: AbortSignal,
): AsyncGenerator<Frame> {
  const from = index.readFromSeconds(numbers[0] as number);
  let left = numbers;
  for await (const frame of decode(file, index, left, size, from, signal)) {
    if (frame === undefined) break;
    left = left.slice(1);
    yield frame;
  }
  if (left.length === 0) return;
  for await (const frame of decode(file, index, left, size, undefined, signal)) {
    if (frame === undefined) break;
    left = left.slice(1);
    yield frame;
  }
  if (left.length > 0) throw mediaFault.undecodable('video', `its frame ${left[0]} is damaged`);
}

/** Frames as long as they are those asked for; undefined ends them where another came or the decoder stopped. */
async function* decode(
  file: OpenFile,
  index: FrameIndex,
  numbers: readonly number[],
  size: Size,
  fromSeconds: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Frame | undefined> {
  const { width, height } = size;
  const filter = `select='${wantedOf(index, numbers)}',showinfo=checksum=0,scale=${width}:${height}:flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24`;
  const seek =
    fromSeconds === undefined ? [] : ['-seek_timestamp', '1', '-ss', (fromSeconds + 1e-6).toFixed(6)];
  const args = [...decoderOf(file), ...seek, ...inputOf(file), ...outputOfVideo(file, filter)];
  args.push('-frames:v', String(numbers.length), '-c:v', 'rawvideo', '-f', 'rawvideo', 'pipe:1');
  const child = startChild('video', file.tools.ffmpeg, args, file.folder, file.limits, signal);
  const reports = child.lines[Symbol.asyncIterator]();
  const pixels = wholeFrames(child.stdout, width * height * 3);
  try {
    for (const number of numbers) {
      const [frame, report] = await child.within(Promise.all([pixels.next(), reports.next()]));
      const isIt = !report.done && readReport(report.value)?.pts === index.markOf(number).pts;
      if (frame.done || !isIt) {
        signal?.throwIfAborted();
        // Stopped for taking too long: another try would take as long.
        if (frame.done) await child.ended.catch((fault) => passOn(fault));
        yield undefined;
        return;
      }
      yield { number, timeMs: index.timeMsOf(number), width, height, pixels: frame.value };
    }
  } finally {
    child.kill();
    child.stdout.destroy();
  }
}

function passOn(fault: unknown): void {
  if (!(fault instanceof Error) || !/stopped after/.test(fault.message)) return;
  throw fault;
}

/** An expression that is true for exactly these frames. */
function wantedOf(index: FrameIndex, numbers: readonly number[]): string {
  const spans: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const span = spans.at(-1);
    if (span && number === span.last + 1) span.last = number;
    else spans.push({ first: number, last: number });
  }
  const ptsOf = (number: number) => index.markOf(number).pts;
  return spans
    .map(({ first, last }) =>
      first === last ? `eq(pts,${ptsOf(first)})` : `between(pts,${ptsOf(first)},${ptsOf(last)})`,
    )
    .join('+');
}

/** Cuts a stream of pixels into frames; an incomplete one at the end is dropped. */
async function* wholeFrames(stream: Readable, frameBytes: number): AsyncGenerator<Buffer> {
  let frame = Buffer.allocUnsafe(frameBytes);
  let filled = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(frame, filled, at, Math.min(chunk.length, at + frameBytes - filled));
      at += taken;
      filled += taken;
      if (filled < frameBytes) continue;
      yield frame;
      frame = Buffer.allocUnsafe(frameBytes);
      filled = 0;
    }
  }
}
