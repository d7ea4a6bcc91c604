import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { withSessionCookie } from '#domain/session-cookie.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import { always, refuse, sendObject } from '../../common/send-object.ts';
import { findVersion } from '../version-store.ts';
import { exportFormat } from './archive.ts';
import { exportStatus, exportsOf } from './store.ts';

export type HeaderOf = (name: string) => string | undefined;

const names: Record<number, string> = {
  [exportFormat.protobuf]: 'clarifai-data-protobuf',
  [exportFormat.coco]: 'coco',
  [exportFormat.json]: 'clarifai-data-json',
};

const escaped = encodeURIComponent;

/** Where an archive can be downloaded, with the credential of whoever may read the version. */
export const exportUrl = (
  base: string,
  grant: Pick<AppGrant, 'userId' | 'appId'>,
  version: { id: string; datasetId: string },
  format: number,
): string =>
  `${base}/exports/users/${escaped(grant.userId)}/apps/${escaped(grant.appId)}/datasets/${escaped(version.datasetId)}/versions/${escaped(version.id)}/${names[format]}.zip`;

const shape =
  /^\/exports\/users\/([^/]+)\/apps\/([^/]+)\/datasets\/([^/]+)\/versions\/([^/]+)\/([a-z-]+)\.zip$/;

/** Archives, whole or in ranges, so that a download that broke off goes on where it was. */
export function exportRoute(deps: {
  db: Db;
  objects: ObjectStore;
  /** Signs in whoever may read versions of the app. @throws Fault as GetDatasetVersion would */
  grant: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
}) {
  return {
    verb: 'GET' as const,
    path: '/exports/*',
    async answer(
      request: IncomingMessage,
      response: ServerResponse,
      { url, header }: { url: URL; header: HeaderOf },
    ): Promise<void> {
      const parts = readPath(url.pathname);
      const format = Number(Object.keys(names).find((key) => names[Number(key)] === parts?.[4]));
      if (!parts || Number.isNaN(format)) return refuse(response, 404);
      const [userId, appId, datasetId, versionId] = parts as [string, string, string, string];
      const grant = await deps.grant(withSessionCookie(header), userId, appId).catch((thrown: unknown) => {
        if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown;
        return thrown.kind === 'unauthenticated' ? (401 as const) : (404 as const);
      });
      if (typeof grant === 'number') return refuse(response, grant);
      const version = grant.isMember ? await findVersion(deps.db, grant, datasetId, versionId) : undefined;
      const made =
        version && (await exportsOf(deps.db, grant, [version.key])).find((row) => row.format === format);
      if (made?.statusCode !== exportStatus.success) return refuse(response, 404);
      await sendObject(request, response, (range) => deps.objects.get(made.objectKey, range), {
        ...always,
        etag: `"${made.objectKey.replace(/^.*\//, '').replace(/\.zip$/, '')}"`,
        // Exactly so: the official reader compares it.
        'content-type': 'application/zip',
        'content-disposition': `attachment; filename="${names[format]}.zip"`,
      });
    },
  };
}

function readPath(path: string): string[] | undefined {
  try {
    return shape.exec(path)?.slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
