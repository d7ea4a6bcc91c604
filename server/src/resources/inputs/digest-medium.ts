import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { renderPicture } from '#engine/image.ts';
import { encodeJpeg, type MediumSource } from '#engine/media/index.ts';
import type { Indexed, InputDeps } from './deps.ts';
import type { Digest } from './digested.ts';
import { faultOfFetch } from './fetch-fault.ts';
import { openSlots } from './group.ts';
import { bytesMaxOf, type MediaLimits } from './input.ts';
import { keepMedium, mediaKey, streamOriginal } from './media.ts';
import type { MediaSize } from './media-url.ts';
import type { InputRow } from './rows.ts';
import { packMediaData } from './translate.ts';

/** Where in a video its thumbnail is taken, as the contract says of it. */
const thumbnailAtMs = 1000;
/** Videos are larger than pictures, and slower to come. */
const videoFetchPatience = 10;
/** Downloads under way, each into a file. */
const fetchesAtOnce = 4;

type Known = Pick<Digest, 'media' | 'indexed'> & { pictures: { size: MediaSize; bytes: Buffer }[] };

/**
 * Opens the processing of videos and sounds. They are never held in memory whole: what is fetched goes into a
 * file, what is stored is streamed.
 */
export function openMediumDigester(deps: InputDeps, limits: MediaLimits) {
  const { media, objects } = deps;
  const fetching = openSlots(fetchesAtOnce);

  return async (grant: AppGrant, row: InputRow, signal: AbortSignal): Promise<Digest> => {
    const sha = row.mediaSha;
    if (sha) {
      const stored = await objects.stat(mediaKey('orig', sha));
      const known = await read(grant, row, () => streamOriginal(objects, grant, sha), signal);
      return digestOf(sha, stored?.sizeBytes ?? 0, known, []);
    }
    return fetching(() =>
      media.scratch(async (folder) => {
        const file = join(folder, 'fetched');
        const fetched = await fetchInto(file, row, signal);
        const known = await read(grant, row, { file }, signal);
        // Kept only where it was good, as pictures are.
        if ((await objects.stat(mediaKey('orig', fetched.sha)))?.sizeBytes !== fetched.sizeBytes)
          await objects.put(mediaKey('orig', fetched.sha), createReadStream(file));
        return digestOf(fetched.sha, fetched.sizeBytes, known, [{ size: 'orig', bytes: fetched.sizeBytes }]);
      }),
    );
  };

  async function digestOf(
    sha: Buffer,
    sizeBytes: number,
    { media: packed, indexed, pictures }: Known,
    originals: Digest['kept'],
  ): Promise<Digest> {
    await Promise.all(pictures.map(({ size, bytes }) => keepMedium(objects, size, sha, bytes)));
    return {
      sha,
      sizeBytes,
      media: packed,
      kept: [...originals, ...pictures],
      indexed,
      text: undefined,
      note: '',
    };
  }

  async function fetchInto(file: string, { url, kind }: InputRow, signal: AbortSignal) {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sizeBytes += chunk.length;
        hash.update(chunk);
        done(null, chunk);
      },
    });
    try {
      const patience = kind === 'video' ? videoFetchPatience : 1;
      const { stream } = await deps.fetcher.open(url, {
        sizeBytesMax: bytesMaxOf(kind, limits, 'url'),
        timeoutMs: patience * limits.fetchTimeoutMs,
        signal,
      });
      await pipeline(stream, counted, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
    } catch (thrown) {
      throw faultOfFetch(thrown);
    }
    return { sha: hash.digest(), sizeBytes };
  }

  function read(grant: AppGrant, row: InputRow, source: MediumSource, signal: AbortSignal): Promise<Known> {
    const options = { signal, background: true };
    return row.kind === 'video'
      ? media.withVideo(source, (video) => readVideo(grant, video, signal), options)
      : media.withAudio(source, readAudio, options);
  }

  async function readVideo(grant: AppGrant, video: OpenVideo, signal: AbortSignal): Promise<Known> {
    const { width, height, fps, format, bitRate, frameCount, durationSeconds } = video.facts;
    const thumbnail = await encodeJpeg(await video.frameAt({ timeMs: thumbnailAtMs }, { signal }));
    const info = { width, height, fps, videoFormat: format, bitRate, frameCount, durationSeconds };
    return {
      media: packMediaData(create(DataSchema, { video: { videoInfo: info } })),
      pictures: await picturesOf(thumbnail),
      indexed: await indexedBy(grant, video, signal),
    };
  }

  async function indexedBy(
    grant: AppGrant,
    video: OpenVideo,
    signal: AbortSignal,
  ): Promise<Indexed | undefined> {
    return deps.indexer?.prepareVideo(grant, video, signal);
  }

  async function readAudio(audio: OpenAudio): Promise<Known> {
    const { format, sampleRate, durationSeconds, bitRate } = audio.facts;
    const info = { audioFormat: format, sampleRate, durationSeconds, bitRate };
    return {
      media: packMediaData(create(DataSchema, { audio: { audioInfo: info } })),
      pictures: await picturesOf(await audio.waveform()),
      indexed: undefined,
    };
  }
}

type OpenVideo = Parameters<Parameters<InputDeps['media']['withVideo']>[1]>[0];
type OpenAudio = Parameters<Parameters<InputDeps['media']['withAudio']>[1]>[0];

/** A thumbnail in all its sizes, the full one under its own name. */
async function picturesOf(thumbnail: Buffer): Promise<{ size: MediaSize; bytes: Buffer }[]> {
  const { tiny, small, large } = await renderPicture(thumbnail);
  return [
    { size: 'thumbnail', bytes: thumbnail },
    { size: 'large', bytes: large },
    { size: 'small', bytes: small },
    { size: 'tiny', bytes: tiny },
  ];
}
