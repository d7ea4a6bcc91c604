import type { AppGrant } from '#domain/grant.ts';

const contentRoot = '/uploads';

/** Where the content of an upload is downloaded, below the server's public address. */
export const contentPath = ({ userId, appId }: Pick<AppGrant, 'userId' | 'appId'>, id: string): string =>
  `${contentRoot}/users/${encodeURIComponent(userId)}/apps/${encodeURIComponent(appId)}/${encodeURIComponent(id)}`;

export const contentPattern = /^\/uploads\/users\/([^/]+)\/apps\/([^/]+)\/([^/]+)$/;

/** Where the bytes of one part are put as they are. */
export const rawPartPattern =
  /^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)\/uploads\/([^/]+)\/content_parts\/([^/]+)$/;
