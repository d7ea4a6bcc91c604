import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppGrant } from '#domain/grant.ts';
import { withSessionCookie } from '#domain/session-cookie.ts';
import type { Database } from '#store/postgres/index.ts';
import { annotationFault } from './faults.ts';
import { findAnnotationKey } from './list-store.ts';
import { maskBytesOf, maskPath } from './masks.ts';
import { showAnnotations } from './translate.ts';

export interface MaskRouteParts {
  readonly db: Database;
  /** Signs a caller in for reading the annotations of an app. @throws Fault as GetAnnotation would */
  readonly annotationsGrant: (
    header: (name: string) => string | undefined,
    userId: string,
    appId: string,
  ) => Promise<AppGrant>;
}

const path = new RegExp(`^${maskPath}/users/([^/]+)/apps/([^/]+)/inputs/([^/]+)/orig/([^/]+)$`);

/** The mask of an annotation alone, as it was sent: prefix/orig/suffix of its hosted URL. */
export const maskRoute = ({ db, annotationsGrant }: MaskRouteParts) => ({
  verb: 'GET' as const,
  path,
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    { url, header }: { url: URL; header: (name: string) => string | undefined },
  ) {
    const [userId, appId, inputId, id] = (path.exec(url.pathname) as RegExpExecArray)
      .slice(1)
      .map(decodeURIComponent) as [string, string, string, string];
    const grant = await annotationsGrant(withSessionCookie(header), userId, appId);
    const key = grant.isMember ? await findAnnotationKey(db, grant, inputId, id) : undefined;
    const [annotation] = key === undefined ? [] : await showAnnotations(db, grant, [key]);
    const bytes = maskBytesOf(annotation);
    if (!bytes) throw annotationFault.missing(id, inputId);
    response.writeHead(200, {
      'content-type': isPng(bytes) ? 'image/png' : 'application/octet-stream',
      'content-length': bytes.length,
      'cache-control': 'private, no-cache',
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  },
});

const isPng = (bytes: Uint8Array): boolean => [0x89, 0x50, 0x4e, 0x47].every((byte, i) => bytes[i] === byte);
