import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppGrant } from '#domain/grant.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { inputFault } from './faults.ts';
import { streamOriginal } from './media.ts';
import type { MediaGrant } from './media-route.ts';
import { findInputs, inputRows } from './store.ts';

export interface FramesRouteParts {
  readonly db: Db;
  readonly objects: ObjectStore;
  readonly media: MediaDecoder;
  /** Signs a caller in as for GetInput. */
  readonly mediaGrant: MediaGrant;
}

const path = /^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)\/inputs\/([^/]+)\/frames\/?$/;

/** When each frame of a video is shown, exactly, as its file says (docs/EXTENSIONS.md). */
export const framesRoute = (parts: FramesRouteParts) => ({
  verb: 'GET' as const,
  path,
  async answer(
    _request: IncomingMessage,
    response: ServerResponse,
    { url, header, requestId }: { url: URL; header: (name: string) => string | undefined; requestId: string },
  ) {
    const [userId = '', appId = '', inputId = ''] = (path.exec(url.pathname) as RegExpExecArray)
      .slice(1)
      .map(decodeURIComponent);
    const grant = await parts.mediaGrant(header, userId, appId);
    if (!grant.isMember) throw commonFault.membersOnly('look into its videos');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const times = await timesOf(parts, grant, inputId, gone.signal);
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    response.end(
      JSON.stringify({ status: { code: 10000, description: 'Ok', req_id: requestId }, frames: times }),
    );
  },
});

async function timesOf(
  { db, objects, media }: FramesRouteParts,
  grant: AppGrant,
  inputId: string,
  signal: AbortSignal,
) {
  const [found] = await findInputs(db, grant, [inputId]);
  if (!found) throw inputFault.missing(inputId);
  if (found.kind !== 'video')
    throw inputFault.invalid(`'${inputId}' is of kind ${found.kind}; frames are of videos.`);
  const [row] = await inputRows(db, grant, [found.key]);
  const sha = row?.mediaSha;
  if (!sha) throw inputFault.invalid(`'${inputId}' has no stored video yet; wait until it is processed.`);
  return media.withVideo(
    () => streamOriginal(objects, grant, sha),
    async ({ times }) => ({
      count: times.count,
      duration_ms: times.durationMs,
      times_ms: Array.from({ length: times.count }, (_, number) => times.timeMsOf(number)),
    }),
    { signal, hash: sha },
  );
}
