import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Data } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { withSessionCookie } from '#domain/session-cookie.ts';
import { encodeJpeg, type MediaDecoder } from '#engine/media/index.ts';
import type { ByteRange, ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import { always, knows, refuse, sendObject } from '../common/send-object.ts';
import { openMedium, streamOriginal } from './media.ts';
import { type MediaAddress, mediaPath, readMediaPath } from './media-url.ts';
import { inputOfMedium } from './store.ts';
import { playedTypes, unpackMediaData } from './translate.ts';

export type HeaderOf = (name: string) => string | undefined;

/** Signs a caller in for reading the inputs of an app. @throws Fault as GetInput would */
export type MediaGrant = (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;

export interface MediaRoute {
  readonly verb: 'GET';
  readonly path: string;
  answer(
    request: IncomingMessage,
    response: ServerResponse,
    context: { url: URL; requestId: string; header: HeaderOf },
  ): Promise<void>;
}

export interface MediaRouteDeps {
  readonly db: Db;
  readonly objects: ObjectStore;
  readonly media: MediaDecoder;
  readonly mediaGrant: MediaGrant;
}

/**
 * Hosted media: prefix/size/suffix, for whoever may read the inputs of that app. A wrong credential is answered
 * with 401; none, or one without the right, with 404, as if there were nothing.
 */
export function mediaRoutes(deps: MediaRouteDeps): MediaRoute[] {
  return [
    {
      verb: 'GET',
      path: `${mediaPath}/*`,
      async answer(request, response, { url, header }) {
        const address = readMediaPath(url.pathname);
        if (!address) return refuse(response, 404);
        const grant = await grantOr(deps.mediaGrant, withSessionCookie(header), address);
        if (typeof grant === 'number') return refuse(response, grant);
        const input = await inputOfMedium(deps.db, grant, address.kind, address.sha);
        if (!input) return refuse(response, 404);
        const moment = momentOf(address, url.searchParams);
        if (moment) return sendFrame(deps, request, response, grant, address, moment);
        const type = contentTypeOf(address, unpackMediaData(input.media));
        const open = (range: ByteRange | undefined) =>
          openMedium(deps.objects, address.size, address.sha, range);
        await sendObject(request, response, open, {
          ...always,
          etag: `"${address.sha.toString('hex')}-${address.size}"`,
          'content-type': type,
          'content-security-policy': "default-src 'none'; sandbox",
          ...(type === opaque ? { 'content-disposition': 'attachment' } : {}),
        });
      },
    },
  ];
}

/** The grant, or the HTTP number to refuse with. */
async function grantOr(
  mediaGrant: MediaGrant,
  header: HeaderOf,
  address: MediaAddress,
): Promise<AppGrant | 401 | 404> {
  const hasCredential = (header('authorization') ?? header('x-clarifai-session-token') ?? '') !== '';
  if (!hasCredential) return 404;
  try {
    const grant = await mediaGrant(header, address.userId, address.appId);
    // Pictures have no visibility of their own: a public app shows its models, not its inputs.
    return grant.isMember ? grant : 404;
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown;
    return thrown.kind === 'unauthenticated' ? 401 : 404;
  }
}

const inlineTypes: Record<string, string> = {
  JPEG: 'image/jpeg',
  PNG: 'image/png',
  GIF: 'image/gif',
  WEBP: 'image/webp',
  BMP: 'image/bmp',
  TIFF: 'image/tiff',
  AVIF: 'image/avif',
};
const opaque = 'application/octet-stream';

/** What was not recognised by this server is never shown inline, whatever it claims to be. */
function contentTypeOf({ size, kind }: MediaAddress, { image, video, audio }: Data): string {
  if (kind === 'text') return 'text/plain; charset=utf-8';
  if (size === 'dash') return 'video/mp4';
  if (size === 'dashsound') return 'audio/mp4';
  if (size !== 'orig' && (size !== 'large' || kind !== 'image')) return 'image/jpeg';
  if (kind === 'video') return playedTypes[video?.videoInfo?.videoFormat ?? ''] ?? opaque;
  if (kind === 'audio')
    return playedTypes[audio?.audioInfo?.audioFormat ?? '']?.replace('video', 'audio') ?? opaque;
  const format = image?.imageInfo?.format;
  const isJpeg = size === 'large' && format !== undefined;
  return isJpeg ? 'image/jpeg' : (inlineTypes[format ?? ''] ?? opaque);
}

/** A moment of a video that is asked for with its thumbnail: `?time=MILLISECONDS` or `?frame=NUMBER`. */
function momentOf(
  { kind, size }: MediaAddress,
  asked: URLSearchParams,
): { timeMs: number } | { number: number } | undefined {
  if (kind !== 'video' || size !== 'thumbnail') return undefined;
  const wanted = (name: string) =>
    /^\d{1,10}$/.test(asked.get(name) ?? '') ? Number(asked.get(name)) : undefined;
  const [number, timeMs] = [wanted('frame'), wanted('time')];
  return number !== undefined ? { number } : timeMs !== undefined ? { timeMs } : undefined;
}

/** Decodes one frame of a video and sends it; a frame never changes, so whoever has it need not ask for it again. */
async function sendFrame(
  deps: MediaRouteDeps,
  request: IncomingMessage,
  response: ServerResponse,
  grant: AppGrant,
  { sha }: MediaAddress,
  moment: { timeMs: number } | { number: number },
): Promise<void> {
  const etag = `"${sha.toString('hex')}-${Object.entries(moment).join('')}"`;
  if (knows(request.headers['if-none-match'], etag))
    return void response.writeHead(304, { ...always, etag }).end();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const jpeg = await deps.media.withVideo(
      () => streamOriginal(deps.objects, grant, sha),
      async (video) => encodeJpeg(await video.frameAt(moment, { signal: gone.signal })),
      { signal: gone.signal, hash: sha },
    );
    response.writeHead(200, { ...always, etag, 'content-type': 'image/jpeg', 'content-length': jpeg.length });
    response.end(request.method === 'HEAD' ? undefined : jpeg);
  } catch (thrown) {
    if (gone.signal.aborted) return;
    if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown;
    refuse(response, 404);
  }
}
