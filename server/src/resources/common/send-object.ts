import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { ByteRange, StoredObject } from '#store/objects/index.ts';

/** How long a browser may show a copy before it asks again whether it still may. */
export const always = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-cache',
  vary: 'authorization, cookie, x-clarifai-session-token',
};

/**
 * Sends a stored object, or one range of it (RFC 9110, 14.2), or nothing where the caller has it already.
 *
 * `open` may throw RangeError for a range behind the end, and gives undefined for what is not there.
 */
export async function sendObject(
  request: IncomingMessage,
  response: ServerResponse,
  open: (range: ByteRange | undefined) => Promise<StoredObject | undefined>,
  headers: Readonly<Record<string, string>> & { readonly etag: string; readonly 'content-type': string },
): Promise<void> {
  const { etag } = headers;
  if (knows(request.headers['if-none-match'], etag)) {
    const kept = Object.keys(always) as (keyof typeof always)[];
    response.writeHead(304, { etag, ...Object.fromEntries(kept.map((name) => [name, always[name]])) }).end();
    return;
  }
  const asked = rangeOf(request.headers.range, request.headers['if-range']?.toString(), etag);
  const stored = await open(asked).catch((error: unknown) => {
    if (error instanceof RangeError) return error;
    throw error;
  });
  if (stored instanceof RangeError) return refuse(response, 416);
  if (!stored) return refuse(response, 404);
  const { stream, sizeBytes, firstByte, lastByte } = stored;
  response.writeHead(asked ? 206 : 200, {
    ...headers,
    'content-length': lastByte - firstByte + 1,
    'accept-ranges': 'bytes',
    ...(asked ? { 'content-range': `bytes ${firstByte}-${lastByte}/${sizeBytes}` } : {}),
  });
  if (request.method === 'HEAD') {
    stream.destroy();
    response.end();
    return;
  }
  // Who hangs up in the middle has had enough; that is no error.
  await pipeline(stream, response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

/** Whether the caller has this very thing already. */
export const knows = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch?.split(',') ?? []).some((one) => ['*', etag, `W/${etag}`].includes(one.trim()));

/** One range of bytes; several at once, suffixes (last n bytes) and what cannot be read are answered whole (RFC 9110, 14.2). */
function rangeOf(range: string | undefined, ifRange: string | undefined, etag: string) {
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const [, firstByte, lastByte] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(range.trim()) ?? [];
  if (firstByte === undefined) return undefined;
  if (lastByte === undefined || lastByte === '') return { firstByte: Number(firstByte) };
  return Number(lastByte) < Number(firstByte)
    ? undefined
    : { firstByte: Number(firstByte), lastByte: Number(lastByte) };
}

export function refuse(response: ServerResponse, code: 401 | 404 | 416): void {
  response.writeHead(code, { ...always, 'content-type': 'text/plain; charset=utf-8' });
  response.end(
    code === 401 ? 'The credential is not valid.\n' : code === 404 ? 'Not found.\n' : 'No such range.\n',
  );
}
