import { outputOf, startChild } from './child.ts';
import { type MediumKind, mediaFault } from './faults.ts';
import type { FrameMark, Rational } from './frame-times.ts';
import type { MediaDecodeLimits } from './limits.ts';
import type { FoundFormat } from './media-format.ts';
import type { Tools } from './tools.ts';

/** A file in a folder of its own, and what may be done with it. */
export interface OpenFile {
  readonly kind: MediumKind;
  readonly folder: string;
  readonly found: FoundFormat;
  readonly tools: Tools;
  readonly limits: MediaDecodeLimits;
}

/** The name of the one file in the folder. */
export const fileName = 'medium';

/** Opens nothing but that file, with nothing but the reader that its first bytes ask for. */
export const inputOf = ({ found }: OpenFile): string[] => [
  '-protocol_whitelist',
  'file',
  '-format_whitelist',
  found.demuxer,
  '-f',
  found.demuxer,
  '-i',
  `file:${fileName}`,
];

interface StreamJson {
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  time_base?: string;
  start_pts?: number;
  avg_frame_rate?: string;
  bit_rate?: string;
  duration?: string;
  sample_rate?: string;
  channels?: number;
  codec_tag_string?: string;
  profile?: string;
  level?: number;
  has_b_frames?: number;
  disposition?: { attached_pic?: number };
  tags?: { rotate?: string };
  side_data_list?: { rotation?: number }[];
}

export interface Probe {
  readonly startSeconds: number;
  readonly durationSeconds: number;
  readonly bitRate: number;
  readonly streams: readonly StreamJson[];
}

const probeBytesMax = 4 * 1024 * 1024;

/** What the container says of itself. @throws Fault 30300 when it cannot be read */
export async function probe(file: OpenFile, signal?: AbortSignal): Promise<Probe> {
  const args = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', ...inputOf(file)];
  const child = startChild(file.kind, file.tools.ffprobe, args, file.folder, file.limits, signal);
  const text = await outputOf(child, probeBytesMax, () =>
    mediaFault.undecodable(file.kind, 'its header is too large'),
  );
  const { format = {}, streams = [] } = JSON.parse(text.toString('utf8')) as {
    format?: { start_time?: string; duration?: string; bit_rate?: string };
    streams?: StreamJson[];
  };
  return {
    startSeconds: numberIn(format.start_time),
    durationSeconds: numberIn(format.duration),
    bitRate: numberIn(format.bit_rate),
    streams,
  };
}

export const numberIn = (text: string | number | undefined): number => {
  const value = Number(text ?? 0);
  return Number.isFinite(value) ? value : 0;
};

export function rationalIn(text: string | undefined): Rational {
  const [num = 0, den = 1] = (text ?? '').split('/').map(Number);
  return Number.isFinite(num / den) ? { num, den } : { num: 0, den: 1 };
}

/** Quarter turns that bring a frame upright, 0 to 3. */
export function quarterTurns(stream: StreamJson): number {
  const degrees =
    stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation ??
    numberIn(stream.tags?.rotate);
  return ((Math.round(degrees / 90) % 4) + 4) % 4;
}

/** Codecs whose packets are shown one by one as the container says. Others are decoded to know. */
const countedCodecs = new Set(['h264', 'hevc', 'av1', 'vp9', 'mjpeg', 'png', 'prores', 'dnxhd']);
const countedDemuxers = new Set(['mov', 'matroska']);
const packetsBytesMax = 128 * 1024 * 1024;

export interface Marks {
  readonly marks: FrameMark[];
  /** How long the last frame is shown, in ticks; 0 where the container does not say. */
  readonly lastTicks: number;
}

/**
 * The frames as the packets of the container tell them, without decoding; undefined where packets may not be
 * what is shown: codecs with hidden pictures, containers without presentation times, damaged starts.
 */
export async function marksOfPackets(
  file: OpenFile,
  stream: StreamJson,
  signal?: AbortSignal,
): Promise<Marks | undefined> {
  if (!countedDemuxers.has(file.found.demuxer) || !countedCodecs.has(stream.codec_name ?? ''))
    return undefined;
  const args = ['-v', 'error', '-select_streams', 'V:0', '-of', 'csv=p=0'];
  args.push('-show_entries', 'packet=pts,dts,duration,size,flags', ...inputOf(file));
  const child = startChild(file.kind, file.tools.ffprobe, args, file.folder, file.limits, signal);
  const text = await outputOf(child, packetsBytesMax, () => mediaFault.tooManyFrames(file.limits.framesMax));
  return readPackets(text.toString('latin1'), file.limits.framesMax);
}

/** Reads lines of pts, dts, duration, size and flags; `D` in the flags: decoded, and cut away by an edit list. */
export function readPackets(text: string, framesMax: number): Marks | undefined {
  const marks: FrameMark[] = [];
  let isFirst = true;
  let end = { pts: Number.NEGATIVE_INFINITY, ticks: 0 };
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [ptsText = '', dtsText = '', durationText = '', sizeText = '', flags = ''] = line.split(',');
    const [pts, dts] = [Number(ptsText), Number(dtsText)];
    const isKey = flags.startsWith('K');
    if (isFirst && !isKey) return undefined;
    isFirst = false;
    if (!Number.isSafeInteger(pts) || ptsText === '' || Number(sizeText) === 0) return undefined;
    if (flags.includes('D')) continue;
    const readAt = Number.isSafeInteger(dts) && dtsText !== '' ? Math.min(pts, dts) : pts;
    marks.push({ pts, isKey, readAt });
    if (marks.length > framesMax) throw mediaFault.tooManyFrames(framesMax);
    if (pts > end.pts) end = { pts, ticks: numberIn(durationText) };
  }
  return areDistinct(marks) ? { marks, lastTicks: end.ticks } : undefined;
}

const areDistinct = (marks: readonly FrameMark[]): boolean =>
  marks.length > 0 && new Set(marks.map(({ pts }) => pts)).size === marks.length;

/** The frames as the decoder delivers them: slow, and true whatever the container says. */
export async function marksOfDecoding(file: OpenFile, signal?: AbortSignal): Promise<Marks> {
  const child = startChild(
    file.kind,
    file.tools.ffmpeg,
    [...decoderOf(file), ...inputOf(file), ...outputOfVideo(file, timesOnly), '-f', 'null', '-'],
    file.folder,
    file.limits,
    signal,
  );
  child.stdout.resume();
  const marks: FrameMark[] = [];
  const lines = child.lines[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await child.within(lines.next());
    if (done) break;
    const mark = readReport(value);
    // A decoder may deliver two fields or a repeated picture at one time; one of them can be told apart.
    if (mark && mark.pts !== marks.at(-1)?.pts) marks.push(mark);
    if (marks.length <= file.limits.framesMax) continue;
    child.kill();
    throw mediaFault.tooManyFrames(file.limits.framesMax);
  }
  // A file that is cut short ends in a complaint; the frames before it are good.
  if (marks.length === 0) await child.ended;
  return { marks, lastTicks: 0 };
}

const timesOnly = 'showinfo=checksum=0';

/** Options in front of the input: quiet, one thread, times as the container has them. */
export const decoderOf = ({ limits }: OpenFile): string[] => [
  '-hide_banner',
  '-nostdin',
  '-nostats',
  '-loglevel',
  'info',
  '-threads',
  '1',
  '-filter_threads',
  '1',
  '-max_pixels',
  String(limits.pixelsMax),
  '-copyts',
  '-noaccurate_seek',
];

/** The first real video stream, cover pictures left out, through a filter, every frame once. */
export const outputOfVideo = ({ tools }: OpenFile, filter: string): string[] => [
  '-map',
  '0:V:0',
  '-an',
  '-sn',
  '-dn',
  '-vf',
  filter,
  ...tools.passthrough,
];

/** A line of the filter `showinfo`. */
export function readReport(line: string): FrameMark | undefined {
  const [, text] = /\spts:\s*(-?\d+)\s/.exec(line) ?? [];
  if (text === undefined) return undefined;
  const pts = Number(text);
  return { pts, isKey: /iskey:\s*1/.test(line), readAt: pts };
}
