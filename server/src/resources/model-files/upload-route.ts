import type { IncomingMessage, ServerResponse } from 'node:http';
import { create } from '@bufbuild/protobuf';
import { PostModelVersionsUploadConfigSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { commonFault } from '../common/faults.ts';
import { readBody } from '../common/request-body.ts';
import type { ModelFileDeps } from './deps.ts';
import { openUploads } from './upload-handler.ts';

type HeaderOf = (name: string) => string | undefined;

const shape =
  /^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)\/models\/([^/]+)\/versions\/([^/]+)\/content_parts\/(\d{1,6})$/;
const partBytesMax = 32 * 2 ** 20;

/**
 * PostModelVersionsUpload for callers without gRPC: part after part as bare bytes, `?total_size=` of the whole. Part 0
 * is empty and says how much is missing.
 */
export function modelUploadRoute(
  deps: ModelFileDeps & {
    /** Signs in whoever may upload to the app. @throws Fault as PostModelVersionsUpload would */
    readonly grant: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
  },
) {
  const uploads = openUploads(deps);
  return {
    verb: 'PUT' as const,
    path: shape,
    async answer(
      request: IncomingMessage,
      response: ServerResponse,
      { url, header, requestId }: { url: URL; header: HeaderOf; requestId: string },
    ): Promise<void> {
      const [userId = '', appId = '', modelId = '', versionId = '', part = ''] = (
        shape.exec(url.pathname) ?? []
      )
        .slice(1)
        .map(decodeURIComponent);
      const grant = await deps.grant(header, userId, appId);
      const total = Number(url.searchParams.get('total_size') ?? 0);
      if (!Number.isSafeInteger(total)) throw commonFault.invalid('total_size is no number of bytes.');
      const config = create(PostModelVersionsUploadConfigSchema, {
        modelId,
        modelVersion: { id: versionId },
        totalSize: BigInt(total),
        isV3: true,
      });
      let open = await uploads.begin(grant, config);
      const data = await readBody(request, partBytesMax);
      if (data.length > 0) open = await uploads.take(grant, open, Number(part), data);
      const { totalBytes, receivedBytes } = open.upload;
      const isDone = receivedBytes === totalBytes;
      const code = isDone ? StatusCode.MODEL_BUILDING : StatusCode.UPLOAD_IN_PROGRESS;
      response.writeHead(200, {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
      });
      response.end(
        JSON.stringify({
          status: { code: StatusCode.SUCCESS, description: 'Ok', req_id: requestId },
          upload: { code, model_version_id: open.id, bytes_remaining: totalBytes - receivedBytes },
        }),
      );
    },
  };
}
