import { StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { first, sql } from '#store/sql.ts';
import { status } from '../common/status.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputStatus } from './input.ts';
import { originalUrl } from './media-url.ts';
import type { InputRow } from './rows.ts';
import { playedTypes, unpackMediaData } from './translate.ts';

/**
 * A manifest to play a video by (MPEG-DASH, ISO/IEC 23009-1), as a data URI.
 *
 * Videos are not coded anew here: the one representation is the original, which players read in ranges of bytes.
 * The contract calls that a fallback, and has it go with a mixed status.
 *
 * @throws Fault 11101 for an input that is not there, 30104 for one that is no processed video
 */
export async function videoManifest(deps: InputDeps, grant: AppGrant, inputId: string) {
  const row = await first<Pick<InputRow, 'kind' | 'statusCode' | 'mediaSha' | 'media'>>(
    deps.db,
    sql`select kind, status_code as "statusCode", media_sha as "mediaSha", media from inputs
        where app_key = ${grant.appKey} and id = ${inputId}`,
  );
  if (!row) throw inputFault.missing(inputId);
  if (row.kind !== 'video')
    throw inputFault.invalid(`The input '${inputId}' is no video; it has no manifest.`);
  if (row.statusCode !== inputStatus.processed || !row.mediaSha)
    throw inputFault.invalid(
      `The video of input '${inputId}' is not processed; only then it has a manifest.`,
    );
  const info = unpackMediaData(row.media).video?.videoInfo;
  const manifest = manifestOf({
    url: originalUrl(deps.publicUrl(grant), grant, 'video', row.mediaSha),
    mimeType: playedTypes[info?.videoFormat ?? ''] ?? 'video/mp4',
    width: info?.width ?? 0,
    height: info?.height ?? 0,
    fps: info?.fps ?? 0,
    bitRate: info?.bitRate ?? 0,
    durationSeconds: info?.durationSeconds ?? 0,
  });
  return {
    status: status(
      StatusCode.MIXED_STATUS,
      'There are no streams of other sizes; the manifest names the original, to be read in ranges.',
    ),
    manifestUrl: `data:application/dash+xml;base64,${Buffer.from(manifest).toString('base64')}`,
  };
}

interface Playable {
  readonly url: string;
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly bitRate: number;
  readonly durationSeconds: number;
}

/** One representation that is one file. */
export function manifestOf({
  url,
  mimeType,
  width,
  height,
  fps,
  bitRate,
  durationSeconds,
}: Playable): string {
  const duration = `PT${durationSeconds.toFixed(3)}S`;
  const rate = fps > 0 ? ` frameRate="${Math.round(fps * 1000)}/1000"` : '';
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="${duration}" minBufferTime="PT2S">`,
    `  <Period duration="${duration}">`,
    `    <AdaptationSet contentType="video" mimeType="${mimeType}" subsegmentAlignment="true">`,
    `      <Representation id="orig" width="${width}" height="${height}"${rate} bandwidth="${Math.max(1, bitRate)}">`,
    `        <BaseURL>${escapeXml(url)}</BaseURL>`,
    '      </Representation>',
    '    </AdaptationSet>',
    '  </Period>',
    '</MPD>',
    '',
  ].join('\n');
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
