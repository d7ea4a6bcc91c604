import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { withSessionCookie } from '#domain/session-cookie.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import { always, refuse, sendObject } from '../common/send-object.ts';
import { readModelAndVersion } from '../models/index.ts';
import { findExport } from './store.ts';

type HeaderOf = (name: string) => string | undefined;

const escaped = encodeURIComponent;

/** Where an export can be downloaded, with the credential of whoever may read the version. */
export const exportUrl = (
  base: string,
  grant: Pick<AppGrant, 'userId' | 'appId'>,
  modelId: string,
  versionId: string,
): string =>
  `${base}/model_exports/users/${escaped(grant.userId)}/apps/${escaped(grant.appId)}/models/${escaped(modelId)}/versions/${escaped(versionId)}/model.tar`;

const shape =
  /^\/model_exports\/users\/([^/]+)\/apps\/([^/]+)\/models\/([^/]+)\/versions\/([^/]+)\/model\.tar$/;

/** Exports, whole or in ranges, so that a download that broke off goes on where it was. */
export function modelExportRoute(deps: {
  db: Db;
  objects: ObjectStore;
  /** Signs in whoever may read exports of the app. @throws Fault as GetModelVersionExport would */
  grant: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
}) {
  return {
    verb: 'GET' as const,
    path: '/model_exports/*',
    async answer(
      request: IncomingMessage,
      response: ServerResponse,
      { url, header }: { url: URL; header: HeaderOf },
    ): Promise<void> {
      const parts = readPath(url.pathname);
      if (!parts) return refuse(response, 404);
      const [userId, appId, modelId, versionId] = parts as [string, string, string, string];
      const found = await findRow(withSessionCookie(header), userId, appId, modelId, versionId).catch(
        (thrown: unknown) => {
          if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown;
          return thrown.kind === 'unauthenticated' ? (401 as const) : (404 as const);
        },
      );
      if (typeof found === 'number') return refuse(response, found);
      await sendObject(request, response, (range) => deps.objects.get(found.objectKey, range), {
        ...always,
        etag: `"${found.objectKey.replace(/^.*\//, '').replace(/\.tar$/, '')}"`,
        'content-type': 'application/x-tar',
        'content-disposition': 'attachment; filename="model.tar"',
      });
    },
  };

  async function findRow(
    header: HeaderOf,
    userId: string,
    appId: string,
    modelId: string,
    versionId: string,
  ) {
    const grant = await deps.grant(header, userId, appId);
    if (!grant.isMember) return 404 as const;
    const { version } = await readModelAndVersion(deps.db, grant, modelId, versionId);
    const row = version && (await findExport(deps.db, grant, version.key));
    return row?.statusCode === StatusCode.MODEL_EXPORTED ? row : (404 as const);
  }
}

function readPath(path: string): string[] | undefined {
  try {
    return shape.exec(path)?.slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
