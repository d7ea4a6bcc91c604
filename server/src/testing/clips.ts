import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The ffmpeg that clips are made with; tests that need clips are skipped without one. */
export const ffmpegPath =
  process.env.FOVEA_FFMPEG ??
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'ffmpeg'))
    .find((path) => existsSync(path));

/** Size of a numbered frame as it is shown. */
export const clipSize = { width: 96, height: 64 } as const;

const block = 16;
const columns = clipSize.width / block;
const bits = 11;

/**
 * A frame that says its number in black and white blocks: a white one, eleven bits, the same bits inverted, a
 * black one. It can be read after lossy coding, and does not read as any number when turned or mirrored.
 *
 * @param turns quarter turns clockwise with which the frame is stored
 */
function numberedFrame(number: number, turns: number): { width: number; height: number; pixels: Buffer } {
  const { width, height } = clipSize;
  const stored = turns % 2 === 0 ? { width, height } : { width: height, height: width };
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const shade = isWhite(number, Math.floor(y / block) * columns + Math.floor(x / block)) ? 235 : 20;
      const at = placeOf(x, y, turns);
      pixels.fill(shade, (at.y * stored.width + at.x) * 3, (at.y * stored.width + at.x) * 3 + 3);
    }
  }
  return { ...stored, pixels };
}

function isWhite(number: number, place: number): boolean {
  if (place === 0) return true;
  if (place <= bits) return ((number >> (place - 1)) & 1) === 1;
  if (place <= 2 * bits) return ((number >> (place - 1 - bits)) & 1) === 0;
  return false;
}

/** Where a pixel of the upright frame lies in a frame that was turned clockwise. */
function placeOf(x: number, y: number, turns: number): { x: number; y: number } {
  const { width, height } = clipSize;
  if (turns === 1) return { x: height - 1 - y, y: x };
  if (turns === 2) return { x: width - 1 - x, y: height - 1 - y };
  if (turns === 3) return { x: y, y: width - 1 - x };
  return { x, y };
}

/**
 * The number that a frame says, or undefined when it says none. Frames may have been scaled.
 *
 * @param pixels RGB, three bytes each
 */
export function numberIn(frame: { width: number; height: number; pixels: Buffer }): number | undefined {
  const whiteAt = (place: number): boolean => {
    const x = Math.floor((((place % columns) + 0.5) * block * frame.width) / clipSize.width);
    const y = Math.floor(((Math.floor(place / columns) + 0.5) * block * frame.height) / clipSize.height);
    return (frame.pixels[(y * frame.width + x) * 3] as number) > 127;
  };
  let number = 0;
  for (let bit = 0; bit < bits; bit++) if (whiteAt(bit + 1)) number |= 1 << bit;
  const places = Array.from({ length: 2 * bits + 2 }, (_, place) => place);
  return places.every((place) => whiteAt(place) === isWhite(number, place)) ? number : undefined;
}

export interface ClipOptions {
  readonly frames: number;
  /** Ending of the file, which says the container. */
  readonly ending: 'mp4' | 'mov' | 'avi' | 'wmv' | 'webm' | '3gp' | 'mkv';
  readonly fps?: number;
  /** Arguments of the encoder. */
  readonly coding?: readonly string[];
  /** Milliseconds at which frames are shown, instead of a constant rate. */
  readonly timesMs?: readonly number[];
  /** Quarter turns clockwise that a player has to make. */
  readonly turns?: 0 | 1 | 2 | 3;
  /** Adds a tone, so that the file has two tracks. */
  readonly sound?: boolean;
}

const codings: Record<ClipOptions['ending'], readonly string[]> = {
  mp4: ['-c:v', 'libx264', '-bf', '3', '-g', '12', '-pix_fmt', 'yuv420p'],
  mov: ['-c:v', 'libx264', '-bf', '2', '-g', '10', '-pix_fmt', 'yuv420p'],
  mkv: ['-c:v', 'libx264', '-bf', '3', '-g', '12', '-pix_fmt', 'yuv420p'],
  avi: ['-c:v', 'mpeg4', '-q:v', '2', '-g', '9'],
  wmv: ['-c:v', 'wmv2', '-q:v', '2'],
  webm: ['-c:v', 'libvpx-vp9', '-b:v', '1M', '-g', '15', '-deadline', 'realtime', '-cpu-used', '8'],
  '3gp': ['-c:v', 'mpeg4', '-q:v', '2', '-g', '9'],
};

/** Makes a clip whose frames say their numbers, from 0. */
export async function numberedClip(options: ClipOptions): Promise<Buffer> {
  const { frames, ending, fps = 25, turns = 0, timesMs } = options;
  // A player turns clockwise, so the frame is stored turned the other way.
  const stored = (4 - turns) % 4;
  const { width, height } = numberedFrame(0, stored);
  const raw = Buffer.concat(Array.from({ length: frames }, (_, n) => numberedFrame(n, stored).pixels));
  const retimed = timesMs
    ? ['-vf', `setpts='${timesMs.map((ms, n) => `eq(N,${n})*${ms}`).join('+')}',settb=1/1000`]
    : [];
  const clip = await made(ending, raw, [
    ...[
      '-f',
      'rawvideo',
      '-pix_fmt',
      'rgb24',
      '-s',
      `${width}x${height}`,
      '-r',
      timesMs ? '1000' : String(fps),
    ],
    ...['-i', 'pipe:0'],
    ...(options.sound ? ['-f', 'lavfi', '-t', String(frames / fps), '-i', 'sine=frequency=440'] : []),
    ...retimed,
    ...(timesMs ? ['-vsync', 'passthrough', '-enc_time_base', '1:1000'] : []),
    ...(options.coding ?? codings[ending]),
    ...(options.sound ? ['-map', '0:v', '-map', '1:a', '-shortest'] : []),
  ]);
  return turns === 0 ? clip : turned(clip, turns);
}

/** Cuts the start off a clip without coding it anew: an edit list then hides the frames before the cut. */
export async function cutClip(clip: Buffer, seconds: number): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-clip-'));
  try {
    const { writeFile } = await import('node:fs/promises');
    await writeFile(join(folder, 'whole.mp4'), clip);
    return await made('mp4', Buffer.alloc(0), [
      ...['-ss', String(seconds), '-i', join(folder, 'whole.mp4'), '-c', 'copy'],
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A tone as a file. */
export const toneClip = (ending: 'wav' | 'mp3' | 'flac' | 'ogg' | 'm4a', seconds = 2): Promise<Buffer> =>
  made(ending, Buffer.alloc(0), [
    '-f',
    'lavfi',
    '-t',
    String(seconds),
    '-i',
    'sine=frequency=440:sample_rate=44100',
  ]);

/** Runs ffmpeg with `input` on its standard input. @returns the bytes of the file it makes */
export async function made(ending: string, input: Buffer, args: readonly string[]): Promise<Buffer> {
  if (!ffmpegPath) throw new Error('there is no ffmpeg');
  const folder = await mkdtemp(join(tmpdir(), 'fovea-clip-'));
  try {
    const file = join(folder, `clip.${ending}`);
    const child = spawn(ffmpegPath, ['-v', 'error', '-y', ...args, file], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${said}`);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes a turn into the matrix of the first track header (ISO/IEC 14496-12, 8.3.2). */
function turned(clip: Buffer, turns: 1 | 2 | 3): Buffer {
  const copy = Buffer.from(clip);
  const matrixAt = copy.indexOf('tkhd') + 4 + 40;
  const [cos, sin] = [
    [0, 1],
    [-1, 0],
    [0, -1],
  ][turns - 1] as [number, number];
  const unit = 0x10000;
  [cos * unit, sin * unit, 0, -sin * unit, cos * unit, 0, 0, 0, 0x40000000].forEach((value, i) => {
    copy.writeInt32BE(value, matrixAt + 4 * i);
  });
  return copy;
}
