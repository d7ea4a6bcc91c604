import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault } from '#domain/fault.ts';
import {
  type IndexEntry,
  readFragment,
  readHead,
  readTrackHead,
  type TrackHead,
  writeIndex,
} from './boxes.ts';
import { startChild } from './child.ts';
import { mediaFault } from './faults.ts';
import { inputOf, type OpenFile, probe } from './probe.ts';

/** A track of a video, as players read it in ranges: a head, an index of its parts, the parts. Not coded anew. */
export interface FragmentedTrack {
  readonly kind: 'picture' | 'sound';
  /** The whole file (ISO/IEC 14496-12, fragmented), for as long as the video is open. */
  bytes(): Readable;
}

/** Codecs that go into an MP4 as they are and that players name by what `boxes.ts` tells of them. */
const copied = { picture: ['h264', 'vp9', 'av1'], sound: ['aac', 'mp3', 'opus', 'flac'] } as const;
/** Parts of an index are at least so long, but for the last. */
const partSecondsMin = 2;
const partsMax = 65_535;
const hiddenSecondsMax = 0.1;
const fragmentBytesMax = 16 * 1024 * 1024;

/** What a muxer will not take is not laid out; it can still be played as it came. */
async function fragment(...asked: Parameters<typeof copyTrack>): ReturnType<typeof copyTrack> {
  try {
    return await copyTrack(...asked);
  } catch (error) {
    asked[2]?.throwIfAborted();
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/**
 * The picture and the first sound of a video as fragmented files, made in a child process beside the original.
 *
 * @returns the sound first; undefined where the pictures would have to be coded anew
 * @throws Fault 30300 unreadable
 */
export async function fragmentsOf(
  file: OpenFile,
  signal?: AbortSignal,
): Promise<FragmentedTrack[] | undefined> {
  const { streams, durationSeconds } = await probe(file, signal);
  const codecOf = (type: string) =>
    streams.find((one) => one.codec_type === type && one.disposition?.attached_pic !== 1)?.codec_name ?? '';
  const isCopied = (kind: keyof typeof copied, codec: string) =>
    (copied[kind] as readonly string[]).includes(codec);
  if (!isCopied('picture', codecOf('video'))) return undefined;
  const picture = await fragment(file, 'picture', signal);
  // Longer than it says: an edit list hides frames in front, which would be seen here.
  if (!picture || picture.seconds > durationSeconds + hiddenSecondsMax) return undefined;
  const sound = isCopied('sound', codecOf('audio')) ? await fragment(file, 'sound', signal) : undefined;
  return sound ? [sound, picture] : [picture];
}

const selectors = {
  picture: { map: ['-map', '0:V:0'], cut: '+frag_keyframe' },
  // A sound can be begun with anywhere.
  sound: { map: ['-map', '0:a:0', '-frag_duration', '2000000'], cut: '' },
} as const;

async function copyTrack(
  file: OpenFile,
  kind: FragmentedTrack['kind'],
  signal: AbortSignal | undefined,
): Promise<(FragmentedTrack & { readonly seconds: number }) | undefined> {
  const path = join(file.folder, kind);
  const { map, cut } = selectors[kind];
  const args = ['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'error', ...inputOf(file), ...map];
  args.push('-movflags', `${cut}+empty_moov+default_base_moof+negative_cts_offsets+skip_trailer`);
  args.push(
    '-c',
    'copy',
    '-strict',
    '-2',
    '-map_metadata',
    '-1',
    '-map_chapters',
    '-1',
    '-f',
    'mp4',
    'pipe:1',
  );
  const child = startChild('video', file.tools.ffmpeg, args, file.folder, file.limits, signal);
  await child.within(pipeline(child.stdout, createWriteStream(path, { flags: 'wx', mode: 0o600 })));
  await child.ended;
  const handle = await open(path);
  try {
    const found = await indexOf(handle);
    return (
      found && {
        kind,
        seconds: found.seconds,
        bytes: () => {
          const all = async function* () {
            yield* createReadStream(path, { end: found.headBytes - 1 });
            yield found.index;
            yield* createReadStream(path, { start: found.headBytes });
          };
          return Readable.from(all(), { objectMode: false });
        },
      }
    );
  } finally {
    await handle.close();
  }
}

/** Walks the boxes of a fragmented file. @returns where its head ends, and an index to be put there */
async function indexOf(
  handle: FileHandle,
): Promise<{ headBytes: number; index: Buffer; seconds: number } | undefined> {
  const { size } = await handle.stat();
  const read = async (at: number, length: number) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  };
  let track: TrackHead | undefined;
  let headBytes = 0;
  let shownFirst: number | undefined;
  const fragments: { bytes: number; decodedAt: number; ticks: number }[] = [];
  for (let at = 0; at < size; ) {
    const head = readHead(await read(at, 16));
    if (!head || at + head.size > size)
      throw mediaFault.undecodable('video', 'its parts do not fit together');
    if (head.type === 'moov' || head.type === 'moof') {
      if (head.size > fragmentBytesMax) return undefined;
      const body = (await read(at, head.size)).subarray(head.headBytes);
      if (head.type === 'moov') {
        track = readTrackHead(body);
        headBytes = at + head.size;
      } else {
        const times = track && readFragment(body, track);
        if (!times) return undefined;
        shownFirst ??= times.shownAt;
        fragments.push({ bytes: 0, decodedAt: times.decodedAt, ticks: times.ticks });
      }
    }
    const last = fragments.at(-1);
    if (last) last.bytes += head.size;
    at += head.size;
  }
  if (!track?.codecs || shownFirst === undefined) return undefined;
  const { timescale } = track;
  const parts: { bytes: number; ticks: number }[] = [];
  for (const [i, { bytes, decodedAt, ticks }] of fragments.entries()) {
    const next = fragments[i + 1]?.decodedAt;
    const lasts = next === undefined ? ticks : next - decodedAt;
    const part = parts.at(-1);
    if (part && part.ticks < partSecondsMin * timescale) {
      part.bytes += bytes;
      part.ticks += lasts;
    } else parts.push({ bytes, ticks: lasts });
  }
  const entries: readonly IndexEntry[] = parts;
  return entries.length > partsMax
    ? undefined
    : {
        headBytes,
        index: writeIndex(timescale, shownFirst, entries),
        seconds: entries.reduce((sum, { ticks }) => sum + ticks, 0) / timescale,
      };
}

/** Where in a fragmented file its head and its index lie, and what its codec is. */
export interface FragmentedHead {
  readonly codecs: string;
  /** Its head is this long, and the index follows. */
  readonly headBytes: number;
  readonly indexBytes: number;
}

/**
 * Reads the start of a file that `fragmentsOf` made.
 *
 * @param read gives bytes from a place on, fewer only at the end
 * @returns undefined for another file
 */
export async function readFragmentedHead(
  read: (at: number, length: number) => Promise<Buffer>,
): Promise<FragmentedHead | undefined> {
  let codecs: string | undefined;
  for (let at = 0; ; ) {
    const head = readHead(await read(at, 16));
    if (!head || head.size > fragmentBytesMax) return undefined;
    if (head.type === 'moov')
      codecs = readTrackHead((await read(at, head.size)).subarray(head.headBytes))?.codecs;
    if (head.type === 'sidx')
      return codecs === undefined ? undefined : { codecs, headBytes: at, indexBytes: head.size };
    if (head.type === 'moof' || head.type === 'mdat') return undefined;
    at += head.size;
  }
}
