import { base64Of } from '../../upload/files.ts';
import type { Query } from './query.ts';

// Pictures that were dropped or pasted to search by. They are not in the address; a reload forgets them.
const kept = new Map<string, Blob>();

const names = new WeakMap<Blob, string>();

/** Keeps a picture to search by, and names it. */
export function keepPicture(picture: Blob): string {
  const name = names.get(picture) ?? crypto.randomUUID().slice(0, 8);
  names.set(picture, name);
  kept.set(name, picture);
  return name;
}

export const keptPicture = (name: string): Blob | undefined => kept.get(name);

/** Whether a query names a picture that a reload forgot: what is left of it is another question. */
export const isPictureGone = ({ picture }: Query): boolean => picture !== '' && !kept.has(picture);

/** Base64 of what a search ranks by: the picture kept under the query's name, or the part of it that counts. */
export async function pictureOf(query: Query): Promise<string | undefined> {
  const picture = kept.get(query.picture);
  if (!picture) return undefined;
  return base64Of(query.region ? await cut(picture, query.region) : picture);
}

/** A part of a picture, as a picture. Edges are top, left, bottom, right in 0..1. */
export async function cut(
  picture: Blob,
  [top, left, bottom, right]: readonly [number, number, number, number],
): Promise<Blob> {
  const bitmap = await createImageBitmap(picture);
  const width = Math.max(1, Math.round((right - left) * bitmap.width));
  const height = Math.max(1, Math.round((bottom - top) * bitmap.height));
  const canvas = new OffscreenCanvas(width, height);
  canvas
    .getContext('2d')
    ?.drawImage(bitmap, left * bitmap.width, top * bitmap.height, width, height, 0, 0, width, height);
  bitmap.close();
  return canvas.convertToBlob({ type: 'image/png' });
}
