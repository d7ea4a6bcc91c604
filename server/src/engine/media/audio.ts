import sharp from 'sharp';
import { outputOf, startChild } from './child.ts';
import { mediaFault } from './faults.ts';
import { inputOf, numberIn, type OpenFile, probe } from './probe.ts';

export interface AudioFacts {
  readonly format: string;
  readonly codec: string;
  /** Samples per second and channel. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Bits per second. */
  readonly bitRate: number;
  readonly durationSeconds: number;
}

export interface Audio {
  readonly facts: AudioFacts;
  /** A picture of the loudness over time, as a JPEG. @throws Fault 30300 */
  waveform(size?: { width: number; height: number }): Promise<Buffer>;
  close(): Promise<void>;
}

/** @throws Fault 30101 without a sound track · 30105 over a limit · 30300 unreadable */
export async function readAudio(
  file: OpenFile,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<Omit<Audio, 'close'>> {
  const probed = await probe(file, signal);
  const stream = probed.streams.find((one) => one.codec_type === 'audio');
  if (!stream) throw mediaFault.unsupportedFormat('audio', 'the file has no sound track');
  const durationSeconds = probed.durationSeconds || numberIn(stream.duration);
  if (durationSeconds > file.limits.durationSecondsMax)
    throw mediaFault.tooLong('audio', durationSeconds, file.limits.durationSecondsMax);
  const averageRate = durationSeconds > 0 ? (8 * sizeBytes) / durationSeconds : 0;
  return {
    facts: {
      format: file.found.format,
      codec: stream.codec_name ?? '',
      sampleRate: numberIn(stream.sample_rate),
      channels: stream.channels ?? 0,
      bitRate: Math.round(numberIn(stream.bit_rate) || probed.bitRate || averageRate),
      durationSeconds,
    },
    waveform: (size = { width: 640, height: 240 }) => drawWaveform(file, size, signal),
  };
}

const ink = '0x2f5d8a';
const paper = '#ffffff';

async function drawWaveform(
  file: OpenFile,
  { width, height }: { width: number; height: number },
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const filter = `[0:a:0]aformat=channel_layouts=mono,showwavespic=s=${width}x${height}:colors=${ink},format=rgba[picture]`;
  const args = ['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'error', '-threads', '1'];
  args.push(...inputOf(file), '-filter_complex', filter, '-map', '[picture]', '-frames:v', '1');
  args.push('-c:v', 'rawvideo', '-f', 'rawvideo', 'pipe:1');
  const child = startChild('audio', file.tools.ffmpeg, args, file.folder, file.limits, signal);
  const frameBytes = width * height * 4;
  const tooMuch = () => mediaFault.undecodable('audio', 'its picture came out too large');
  const pixels = await outputOf(child, frameBytes, tooMuch);
  if (pixels.length < frameBytes) throw mediaFault.undecodable('audio', 'it holds no samples');
  return sharp(pixels, { raw: { width, height, channels: 4 } })
    .flatten({ background: paper })
    .jpeg({ quality: 90 })
    .toBuffer();
}
