import { StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type FragmentedHead, type FragmentedTrack, readFragmentedHead } from '#engine/media/index.ts';
import { bytesOf } from '#store/objects/index.ts';
import { first, sql } from '#store/sql.ts';
import { status } from '../common/status.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputStatus } from './input.ts';
import { holdMedia, mediaKey, streamOriginal } from './media.ts';
import { hostedUrl } from './media-url.ts';
import type { InputRow } from './rows.ts';
import { playedTypes, unpackMediaData } from './translate.ts';

/**
 * A manifest to play a video by (MPEG-DASH, ISO/IEC 23009-1, the on-demand profile), as a data URI.
 *
 * Pictures and sound are laid out for players once, when a manifest is first asked for, as they are: nothing is coded
 * anew. Where that cannot be (no ffmpeg, or pictures of a codec that players of DASH do not know), the manifest names the
 * original, to be read in ranges of bytes; the contract calls that a fallback, and has it go with a mixed status.
 *
 * @throws Fault 11101 for an input that is not there, 30104 for one that is no processed video
 */
export async function videoManifest(deps: InputDeps, grant: AppGrant, inputId: string, signal: AbortSignal) {
  const row = await first<Pick<InputRow, 'kind' | 'statusCode' | 'mediaSha' | 'media'>>(
    deps.db,
    sql`select kind, status_code as "statusCode", media_sha as "mediaSha", media from inputs
        where app_key = ${grant.appKey} and id = ${inputId}`,
  );
  if (!row) throw inputFault.missing(inputId);
  if (row.kind !== 'video')
    throw inputFault.invalid(`The input '${inputId}' is no video; it has no manifest.`);
  const sha = row.mediaSha;
  if (row.statusCode !== inputStatus.processed || !sha)
    throw inputFault.invalid(
      `The video of input '${inputId}' is not processed; only then it has a manifest.`,
    );
  const info = unpackMediaData(row.media).video?.videoInfo;
  const film = {
    width: info?.width ?? 0,
    height: info?.height ?? 0,
    fps: info?.fps ?? 0,
    durationSeconds: info?.durationSeconds ?? 0,
  };
  const urlOf = (size: 'orig' | LaidSize) => hostedUrl(deps.publicUrl(grant), size, grant, 'video', sha);
  const laid = await laidTracks(deps, grant, sha, signal);
  if (laid) {
    const tracks = laid.map((track): Track => ({ ...track, url: urlOf(track.size) }));
    return { manifestUrl: dataUri(manifestOf(film, tracks)) };
  }
  const original: Track = {
    contentType: 'video',
    mimeType: playedTypes[info?.videoFormat ?? ''] ?? 'video/mp4',
    url: urlOf('orig'),
    bitRate: info?.bitRate ?? 0,
  };
  return {
    status: status(
      StatusCode.MIXED_STATUS,
      'This video could not be laid out for players; the manifest names the original, to be read in ranges.',
    ),
    manifestUrl: dataUri(manifestOf(film, [original])),
  };
}

const dataUri = (xml: string) => `data:application/dash+xml;base64,${Buffer.from(xml).toString('base64')}`;

const laidSizes = { picture: 'dash', sound: 'dashsound' } as const;
type LaidSize = (typeof laidSizes)[keyof typeof laidSizes];

interface LaidTrack extends Omit<Track, 'url'> {
  readonly size: LaidSize;
}

/** The tracks as they are laid out, by this or an earlier call; undefined where they cannot be. */
async function laidTracks(
  deps: InputDeps,
  grant: AppGrant,
  sha: Buffer,
  signal: AbortSignal,
): Promise<LaidTrack[] | undefined> {
  const { objects, media } = deps;
  // Pictures are stored last: where they are, all is.
  if (!(await objects.stat(mediaKey('dash', sha)))) {
    if (!(await media.isAvailable())) return undefined;
    const isMade = await media.withFragments(
      () => streamOriginal(objects, grant, sha),
      (tracks) => (tracks ? keepTracks(deps, sha, tracks) : Promise.resolve(false)),
      { signal },
    );
    if (!isMade) return undefined;
  }
  const picture = await laidTrack(deps, sha, 'dash');
  const sound = await laidTrack(deps, sha, 'dashsound');
  return picture && [picture, ...(sound ? [sound] : [])];
}

/** @returns false where the video was deleted meanwhile: what is stored beside it then would never be freed */
const keepTracks = ({ db, objects }: InputDeps, sha: Buffer, tracks: readonly FragmentedTrack[]) =>
  db.transaction(async (tx) => {
    await holdMedia(tx, [sha]);
    if (!(await objects.stat(mediaKey('orig', sha)))) return false;
    for (const { kind, bytes } of tracks) await objects.put(mediaKey(laidSizes[kind], sha), bytes());
    return true;
  });

async function laidTrack(
  { objects }: InputDeps,
  sha: Buffer,
  size: LaidSize,
): Promise<LaidTrack | undefined> {
  const key = mediaKey(size, sha);
  const facts = await objects.stat(key);
  if (!facts) return undefined;
  const head = await readFragmentedHead(async (at, length) => {
    const part = await objects.get(key, {
      firstByte: at,
      lastByte: Math.min(at + length, facts.sizeBytes) - 1,
    });
    return part ? bytesOf(part) : Buffer.alloc(0);
  });
  if (!head) return undefined;
  const isPicture = size === 'dash';
  return {
    size,
    contentType: isPicture ? 'video' : 'audio',
    mimeType: isPicture ? 'video/mp4' : 'audio/mp4',
    sizeBytes: facts.sizeBytes,
    head,
  };
}

interface Film {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly durationSeconds: number;
}

/** What one file of a film holds. */
interface Track {
  readonly contentType: 'video' | 'audio';
  readonly mimeType: string;
  readonly url: string;
  /** Bits per second, where it is known; else its size says. */
  readonly bitRate?: number;
  readonly sizeBytes?: number;
  /** Of a file that is laid out for players. */
  readonly head?: FragmentedHead;
}

export function manifestOf(film: Film, tracks: readonly Track[]): string {
  const duration = `PT${film.durationSeconds.toFixed(3)}S`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="${duration}" minBufferTime="PT2S">`,
    `  <Period duration="${duration}">`,
    ...tracks.flatMap((track) => setOf(film, track)),
    '  </Period>',
    '</MPD>',
    '',
  ].join('\n');
}

function setOf({ width, height, fps, durationSeconds }: Film, track: Track): string[] {
  const { contentType, mimeType, url, head } = track;
  const bySize = durationSeconds > 0 ? Math.round((8 * (track.sizeBytes ?? 0)) / durationSeconds) : 0;
  const size = contentType === 'video' ? ` width="${width}" height="${height}"` : '';
  const rate = contentType === 'video' && fps > 0 ? ` frameRate="${Math.round(fps * 1000)}/1000"` : '';
  const codecs = head ? ` codecs="${head.codecs}"` : '';
  const sap = head ? ' subsegmentStartsWithSAP="1"' : '';
  const indexEnd = head ? head.headBytes + head.indexBytes - 1 : 0;
  return [
    `    <AdaptationSet contentType="${contentType}" mimeType="${mimeType}" subsegmentAlignment="true"${sap}>`,
    `      <Representation id="${contentType}"${codecs}${size}${rate} bandwidth="${Math.max(1, track.bitRate ?? bySize)}">`,
    `        <BaseURL>${escapeXml(url)}</BaseURL>`,
    ...(head
      ? [
          `        <SegmentBase indexRange="${head.headBytes}-${indexEnd}">`,
          `          <Initialization range="0-${head.headBytes - 1}"/>`,
          '        </SegmentBase>',
        ]
      : []),
    '      </Representation>',
    '    </AdaptationSet>',
  ];
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
