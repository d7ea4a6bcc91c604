import { type Bucket, type BucketObject, type BucketParts, objectsPerList } from './bucket.ts';
import { textIn, transferMsMax } from './s3-bucket.ts';

const pageBytesMax = 32 * 2 ** 20;
const foldersDeepMax = 16;

/**
 * Files of a plain web server. A URL that ends with a slash is a folder whose page lists its entries as links, as
 * Apache, nginx and most others write it; subfolders are followed. Any other URL is one file. Keys are URLs.
 */
export function openWebBucket({ fetcher, address }: BucketParts): Bucket {
  const root = address.bucket;
  const query = address.query ?? '';

  /** Entries right below a folder in the order of their URLs, folders with a slash at the end. */
  async function entriesOf(folder: string, signal: AbortSignal): Promise<string[]> {
    const { stream } = await fetcher.open(folder + query, { sizeBytesMax: pageBytesMax, signal });
    const page = await textIn(stream);
    const found = new Set<string>();
    for (const [, , href = ''] of page.matchAll(/<a\b[^>]*?\bhref\s*=\s*(["'])(.*?)\1/gi)) {
      const plain = href.replaceAll('&amp;', '&');
      if (plain.includes('?') || plain.includes('#') || !URL.canParse(plain, folder)) continue;
      const url = new URL(plain, folder).href;
      // Only what lies right below: no way up, no other host, no sorting links.
      const rest = url.startsWith(folder) ? url.slice(folder.length) : '';
      if (/^[^/]+\/?$/.test(rest)) found.add(url);
    }
    return [...found].sort();
  }

  /** Files behind a cursor, in the order of their URLs; folders that lie wholly before it are not opened. */
  async function* walk(
    folder: string,
    cursor: string,
    deep: number,
    signal: AbortSignal,
  ): AsyncGenerator<BucketObject> {
    if (deep > foldersDeepMax) return;
    for (const url of await entriesOf(folder, signal)) {
      if (!url.endsWith('/')) {
        if (url > cursor) yield { key: url, sizeBytes: undefined };
      } else if (url > cursor || cursor.startsWith(url)) {
        yield* walk(url, cursor, deep + 1, signal);
      }
    }
  }

  return {
    async list(cursor, signal) {
      if (!root.endsWith('/'))
        return { objects: cursor ? [] : [{ key: root, sizeBytes: undefined }], next: undefined };
      const objects: BucketObject[] = [];
      for await (const object of walk(root, cursor, 0, signal)) {
        objects.push(object);
        if (objects.length === objectsPerList) return { objects, next: object.key };
      }
      return { objects, next: undefined };
    },
    open: async (key, { sizeBytesMax, signal }) =>
      (
        await fetcher.open(key + query, {
          headers: { 'accept-encoding': 'identity' },
          sizeBytesMax,
          timeoutMs: transferMsMax,
          signal,
        })
      ).stream,
  };
}
