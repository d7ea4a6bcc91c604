import { createWriteStream } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Gate } from '../gate.ts';
import { type Audio, readAudio } from './audio.ts';
import { type MediumKind, mediaFault } from './faults.ts';
import { type FragmentedTrack, fragmentsOf } from './fragments.ts';
import { defaultMediaDecodeLimits, type MediaDecodeLimits } from './limits.ts';
import { type FoundFormat, formatHeadBytes, readMediaFormat } from './media-format.ts';
import { fileName, type OpenFile } from './probe.ts';
import { openTools } from './tools.ts';
import { indexVideo, openFrames, type Video } from './video.ts';
import { VideoIndexes } from './video-indexes.ts';

export type { Audio, AudioFacts } from './audio.ts';
export { type FragmentedHead, type FragmentedTrack, readFragmentedHead } from './fragments.ts';
export type { Frame } from './frame-reader.ts';
export type { FrameTimes, SampledTime } from './frame-times.ts';
export { defaultMediaDecodeLimits, type MediaDecodeLimits } from './limits.ts';
export { type MediaFormat, readMediaFormat } from './media-format.ts';
export { encodeFrame, encodeJpeg, type FrameOptions, type Video, type VideoFacts } from './video.ts';

/** Encoded bytes: all at once, a file that stays where it is, or a stream that is opened when its turn has come. */
export type MediumSource = Uint8Array | { readonly file: string } | (() => Promise<Readable>);

export interface OpenMediumOptions {
  readonly limits?: Partial<MediaDecodeLimits>;
  /** Waits behind those that a person waits for. */
  readonly background?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Tells these bytes from all others: what was found out about them once is then not read again. */
  readonly hash?: Uint8Array;
}

/** Decodes videos and sounds in child processes. */
export interface MediaDecoder {
  /** Whether there is an ffmpeg to decode with; looks again as long as there is none. */
  isAvailable(): Promise<boolean>;
  /**
   * Opens a video for as long as `use` runs. At most so many are open at once; the others wait in line, so `use`
   * must not open another.
   *
   * @throws Fault 30101 format, or no ffmpeg · 30105 over a limit · 30300 unreadable · 21351 when too many wait
   */
  withVideo<T>(
    source: MediumSource,
    use: (video: Omit<Video, 'close'>) => Promise<T>,
    options?: OpenMediumOptions,
  ): Promise<T>;
  /** As `withVideo`, for a sound. */
  withAudio<T>(
    source: MediumSource,
    use: (audio: Omit<Audio, 'close'>) => Promise<T>,
    options?: OpenMediumOptions,
  ): Promise<T>;
  /**
   * The tracks of a video in files that players read in ranges, for as long as `use` runs; undefined where its pictures
   * would have to be coded anew.
   *
   * @throws Fault as `withVideo`
   */
  withFragments<T>(
    source: MediumSource,
    use: (tracks: readonly FragmentedTrack[] | undefined) => Promise<T>,
    options?: OpenMediumOptions,
  ): Promise<T>;
  /** A folder for files under work, gone when `use` ends; a file in it can be a source without being copied. */
  scratch<T>(use: (folder: string) => Promise<T>): Promise<T>;
  /** A video to be closed by the caller; takes its place in line only while it is opened. */
  openVideo(source: MediumSource, options?: OpenMediumOptions): Promise<Video>;
}

export interface MediaDecoderOptions {
  /** Folder for files under work; emptied of what a crash has left. */
  readonly dir: string;
  /** Path of ffmpeg; undefined: as found on the machine. */
  readonly ffmpeg?: string | undefined;
  /** Where it is looked for, before the usual places. */
  readonly programFolders?: readonly string[];
  readonly limits?: Partial<MediaDecodeLimits>;
  /** Media open at once. Default: one per core, at least two. */
  readonly atOnce?: number;
}

const waitingMax = 1024;
/** Frames of all videos whose times are remembered; some 60 bytes each. */
const framesKnownMax = 500_000;
/** A folder this old belongs to a process that is gone. */
const leftoverAgeMs = 6 * 3_600_000;

export function openMediaDecoder(options: MediaDecoderOptions): MediaDecoder {
  const { dir } = options;
  const tools = openTools(options.programFolders ?? [], options.ffmpeg);
  const gate = new Gate(options.atOnce ?? Math.max(2, availableParallelism()), waitingMax);
  const indexes = new VideoIndexes(framesKnownMax);
  let prepared: Promise<void> | undefined;

  async function makeFolder() {
    prepared ??= prepare(dir);
    await prepared.catch((error) => {
      prepared = undefined;
      throw error;
    });
    const folder = await mkdtemp(join(dir, 'medium-'));
    return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
  }

  /** Lays the bytes into a folder of their own. @returns with the means to remove it */
  async function lay(kind: MediumKind, source: MediumSource, asked: OpenMediumOptions) {
    const limits = { ...defaultMediaDecodeLimits, ...options.limits, ...asked.limits };
    const found = await tools();
    if (!found) throw mediaFault.noTools(kind);
    const { folder, remove } = await makeFolder();
    try {
      const { head, sizeBytes } = await write(kind, join(folder, fileName), source, limits.bytesMax);
      const format = admit(kind, head);
      const file: OpenFile = { kind, folder, found: format, tools: found, limits };
      return { file, sizeBytes, remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async function readVideo(file: OpenFile, sizeBytes: number, { hash, signal }: OpenMediumOptions) {
    const found = indexes.get(hash) ?? (await indexVideo(file, sizeBytes, signal));
    indexes.set(hash, found);
    return openFrames(file, found);
  }

  async function use<Opened, Result>(
    kind: MediumKind,
    source: MediumSource,
    asked: OpenMediumOptions,
    read: (file: OpenFile, sizeBytes: number, asked: OpenMediumOptions) => Promise<Opened>,
    work: (opened: Opened) => Promise<Result>,
  ): Promise<Result> {
    return gate.pass(
      async () => {
        const { file, sizeBytes, remove } = await lay(kind, source, asked);
        try {
          return await work(await read(file, sizeBytes, asked));
        } finally {
          await remove();
        }
      },
      { background: asked.background ?? false, signal: asked.signal },
    );
  }

  return {
    isAvailable: async () => (await tools()) !== undefined,
    withVideo: (source, work, asked = {}) => use('video', source, asked, readVideo, work),
    withAudio: (source, work, asked = {}) =>
      use('audio', source, asked, (file, sizeBytes, { signal }) => readAudio(file, sizeBytes, signal), work),
    withFragments: (source, work, asked = {}) =>
      use('video', source, asked, (file, _, { signal }) => fragmentsOf(file, signal), work),
    async scratch(work) {
      const { folder, remove } = await makeFolder();
      try {
        return await work(folder);
      } finally {
        await remove();
      }
    },
    openVideo: (source, asked = {}) =>
      gate.pass(
        async () => {
          const { file, sizeBytes, remove } = await lay('video', source, asked);
          try {
            return { ...(await readVideo(file, sizeBytes, asked)), close: remove };
          } catch (error) {
            await remove();
            throw error;
          }
        },
        { background: asked.background ?? false, signal: asked.signal },
      ),
  };
}

async function prepare(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > leftoverAgeMs) await rm(path, { recursive: true, force: true });
  }
}

/** Lays the bytes down and keeps their start. @throws Fault 30105 when they are more than may be */
async function write(kind: MediumKind, path: string, source: MediumSource, bytesMax: number) {
  if (typeof source === 'object' && 'file' in source)
    await link(source.file, path).catch(() => copyFile(source.file, path));
  else {
    const limit = limited(bytesMax, () => mediaFault.tooManyBytes(kind, bytesMax));
    const bytes = typeof source === 'function' ? await source() : Readable.from([Buffer.from(source)]);
    await pipeline(bytes, limit, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  }
  const handle = await open(path);
  try {
    const { size: sizeBytes } = await handle.stat();
    if (sizeBytes > bytesMax) throw mediaFault.tooManyBytes(kind, bytesMax);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(formatHeadBytes), 0, formatHeadBytes, 0);
    return { head: buffer.subarray(0, bytesRead), sizeBytes };
  } finally {
    await handle.close();
  }
}

function limited(bytesMax: number, tooMany: () => Error): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      done(size > bytesMax ? tooMany() : null, chunk);
    },
  });
}

const soundOnly = ['wav', 'mp3', 'flac', 'ogg'];
const noSound = ['avi', 'asf'];

/** @throws Fault 30101 for what is no such medium */
function admit(kind: MediumKind, head: Uint8Array): FoundFormat {
  const found = readMediaFormat(head);
  if (!found) throw mediaFault.unsupportedFormat(kind, 'the first bytes belong to no known format');
  const isWrong = kind === 'video' ? soundOnly : noSound;
  if (isWrong.includes(found.demuxer)) throw mediaFault.unsupportedFormat(kind, found.format);
  return found;
}
