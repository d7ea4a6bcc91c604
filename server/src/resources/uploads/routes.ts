import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { create } from '@bufbuild/protobuf';
import {
  type SingleUploadResponse,
  SingleUploadResponseSchema,
  StatusCode,
  type Upload,
} from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { ObjectTooLarge } from '#store/objects/index.ts';
import { status } from '../common/status.ts';
import { contentOf, keepPart } from './content.ts';
import { contentPattern, rawPartPattern } from './content-url.ts';
import type { UploadDeps } from './deps.ts';
import { uploadFault } from './faults.ts';
import { openPart, takeParts } from './parts.ts';
import { findUpload, partsOf } from './store.ts';
import { showUpload } from './translate.ts';
import { uploadStatus } from './upload.ts';

type HeaderOf = (name: string) => string | undefined;

/** Signs a caller in for an RPC on an app. @throws Fault as that RPC would */
export type GrantFor = (
  rpc: 'PutUploadContentParts' | 'GetUpload',
  header: HeaderOf,
  userId: string,
  appId: string,
) => Promise<AppGrant>;

export interface UploadRoute {
  readonly verb: 'GET' | 'PUT';
  readonly path: RegExp;
  answer(
    request: IncomingMessage,
    response: ServerResponse,
    context: { url: URL; requestId: string; header: HeaderOf },
  ): Promise<void>;
}

export interface UploadRouteParts extends UploadDeps {
  readonly grantFor: GrantFor;
  /** Largest part, in bytes. */
  readonly partBytesMax: number;
  /** The reply of the RPC as REST shows it. */
  readonly encode: (reply: SingleUploadResponse) => string;
}

/** The bytes of uploads beside the contract: parts as they are, without base64, and the content as a download. */
export function uploadRoutes(deps: UploadRouteParts): UploadRoute[] {
  return [
    {
      verb: 'PUT',
      path: rawPartPattern,
      /** The body is the part; `range_start` in the query says where it begins. Never held in memory. */
      async answer(request, response, { url, header, requestId }) {
        const [userId, appId, id, number] = namesIn(rawPartPattern, url.pathname) as [
          string,
          string,
          string,
          string,
        ];
        const grant = await deps.grantFor('PutUploadContentParts', header, userId, appId);
        const at = { partNumber: wholeNumber('part number', number), rangeStart: rangeStartOf(url) };
        const announced = Number(request.headers['content-length'] ?? 1);
        const folder = await openPart(deps, grant, id, [{ ...at, sizeBytes: announced }]);
        const part = await keepPart(deps.objects, folder, at, request, deps.partBytesMax).catch(
          (thrown: unknown) => {
            throw faultOfBody(thrown, request, deps.partBytesMax);
          },
        );
        mayDie('part-kept');
        // What was announced may not be what came; its true size is judged before anything counts it.
        await openPart(deps, grant, id, [part]);
        const row = await takeParts(deps, grant, id, folder, [part]);
        const upload = showUpload(row, grant, deps.publicUrl(grant));
        sendJson(response, deps.encode(replyWith(upload, requestId)));
      },
    },
    {
      verb: 'GET',
      path: contentPattern,
      async answer(request, response, { url, header }) {
        const [userId, appId, id] = namesIn(contentPattern, url.pathname) as [string, string, string];
        const grant = await deps.grantFor('GetUpload', header, userId, appId);
        await sendContent(deps, grant, id, request, response);
      },
    },
  ];
}

const namesIn = (pattern: RegExp, path: string): string[] =>
  (pattern.exec(path) ?? []).slice(1).map(decodeURIComponent);

function wholeNumber(what: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw uploadFault.invalid(`The ${what} is '${text.slice(0, 40)}'; it must be a whole number.`);
}

function rangeStartOf(url: URL): number {
  const given = url.searchParams.get('range_start');
  if (given === null)
    throw uploadFault.invalid('range_start is missing; say at which byte of the content the part begins.');
  return wholeNumber('range_start', given);
}

function faultOfBody(thrown: unknown, request: IncomingMessage, bytesMax: number): unknown {
  if (thrown instanceof ObjectTooLarge)
    return new Fault(
      'too_large',
      StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
      `A part may have up to ${bytesMax} bytes; send smaller ones.`,
    );
  if (request.destroyed && !request.complete)
    return uploadFault.invalid('The body ended before it was whole; send the part again.');
  return thrown;
}

const replyWith = (upload: Upload, reqId: string): SingleUploadResponse =>
  create(SingleUploadResponseSchema, { status: { ...status(StatusCode.SUCCESS), reqId }, upload });

function sendJson(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(body);
}

async function sendContent(
  deps: UploadDeps,
  grant: AppGrant,
  id: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const row = grant.isMember ? await findUpload(deps.db, grant, id) : undefined;
  if (row?.statusCode !== uploadStatus.done) throw uploadFault.missing(id);
  const parts = await partsOf(deps.db, grant, row.key);
  const content = contentOf(deps.objects, row.folder, row.contentName, row.contentLength, parts);
  const [, from, to] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(request.headers.range ?? '') ?? [];
  const first = Number(from ?? 0);
  const last = Math.min(to ? Number(to) : content.sizeBytes - 1, content.sizeBytes - 1);
  const isPartial = from !== undefined && first <= last;
  if (from !== undefined && first >= content.sizeBytes) {
    response.writeHead(416, { 'content-range': `bytes */${content.sizeBytes}` }).end();
    return;
  }
  const [start, end] = isPartial ? [first, last + 1] : [0, content.sizeBytes];
  response.writeHead(isPartial ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(row.contentName || row.id).replace(/['()*]/g, '_')}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-cache',
    'accept-ranges': 'bytes',
    ...(isPartial ? { 'content-range': `bytes ${start}-${end - 1}/${content.sizeBytes}` } : {}),
  });
  if (request.method === 'HEAD') return void response.end();
  // Who hangs up in the middle has had enough; that is no error.
  await pipeline(content.read(start, end), response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}
