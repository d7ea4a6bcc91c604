import type { AppGrant } from '#domain/grant.ts';
import { type InputKind, inputKinds } from './input.ts';

/** Where media are hosted, below the server's public address. */
export const mediaPath = '/media';

/** `dash` and `dashsound` are the tracks of a video as players read them (video-manifest.ts), made when first wanted. */
export const mediaSizes = ['orig', 'tiny', 'small', 'large', 'thumbnail', 'dash', 'dashsound'] as const;
export type MediaSize = (typeof mediaSizes)[number];

/** What the parts of a hosted URL say: prefix/size/suffix, with suffix users/U/apps/A/inputs/KIND/HASH. */
export interface MediaAddress {
  readonly size: MediaSize;
  readonly userId: string;
  readonly appId: string;
  readonly kind: InputKind;
  readonly sha: Buffer;
}

/** The part of a suffix that all media of an app have in common. */
export const ownerPath = ({ userId, appId }: Pick<AppGrant, 'userId' | 'appId'>): string =>
  `users/${encodeURIComponent(userId)}/apps/${encodeURIComponent(appId)}/inputs/`;

/** Suffix of the hosted URL of a medium; ids are escaped, the hash is lower-case hex. */
export const mediaSuffix = (
  grant: Pick<AppGrant, 'userId' | 'appId'>,
  kind: InputKind,
  sha: Uint8Array,
): string => `${ownerPath(grant)}${kind}/${Buffer.from(sha).toString('hex')}`;

export const hostedUrl = (
  publicUrl: string,
  size: MediaSize,
  grant: AppGrant,
  kind: InputKind,
  sha: Uint8Array,
): string => `${publicUrl}${mediaPath}/${size}/${mediaSuffix(grant, kind, sha)}`;

export const originalUrl = (publicUrl: string, grant: AppGrant, kind: InputKind, sha: Uint8Array): string =>
  hostedUrl(publicUrl, 'orig', grant, kind, sha);

const shape = /^\/(\w+)\/users\/([^/]+)\/apps\/([^/]+)\/inputs\/(\w+)\/([0-9a-f]{64})$/;

/** Reads the path of a hosted URL; undefined for anything else. */
export function readMediaPath(path: string): MediaAddress | undefined {
  if (!path.startsWith(`${mediaPath}/`)) return undefined;
  const [, size, user, app, kind, hash] = shape.exec(path.slice(mediaPath.length)) ?? [];
  if (!size || !user || !app || !kind || !hash) return undefined;
  if (!mediaSizes.includes(size as MediaSize) || !inputKinds.includes(kind as InputKind)) return undefined;
  try {
    return {
      size: size as MediaSize,
      userId: decodeURIComponent(user),
      appId: decodeURIComponent(app),
      kind: kind as InputKind,
      sha: Buffer.from(hash, 'hex'),
    };
  } catch {
    return undefined;
  }
}

/** The hash behind a URL of this server's own hosted originals of this app, or undefined for every other URL. */
export function ownOriginal(publicUrl: string, grant: AppGrant, url: string): Buffer | undefined {
  if (publicUrl === '' || !url.startsWith(`${publicUrl}${mediaPath}/`)) return undefined;
  const address = readMediaPath(url.slice(publicUrl.length));
  if (address?.size !== 'orig' || address.userId !== grant.userId || address.appId !== grant.appId)
    return undefined;
  return address.sha;
}
