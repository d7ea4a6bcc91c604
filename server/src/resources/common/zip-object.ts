import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { type ZipWriter, zipTo } from '@fovea/formats';
import type { ObjectStore } from '#store/objects/index.ts';
import { openWorkFolder } from './work-folder.ts';

/**
 * Writes a ZIP archive into the object store as it is made: the store takes it no faster than it is filled, and is
 * filled no faster than it takes. A store keeps nothing of a put that was cut off.
 *
 * @param workDir a folder of this archive alone, for what has to wait until the rest is written; gone at the end
 */
export async function putZip<Made>(
  { objects, objectKey, workDir, signal }: PutZip,
  fill: (zip: ZipWriter) => Promise<Made>,
): Promise<{ made: Made; sizeBytes: number }> {
  const folder = await openWorkFolder(workDir);
  const out = new PassThrough({ highWaterMark: 1 << 20 });
  const stored = objects.put(objectKey, out);
  stored.catch(() => {});
  try {
    const zip = zipTo(async (bytes) => {
      signal.throwIfAborted();
      if (!out.write(bytes)) await Promise.race([once(out, 'drain', { signal }), stored]);
    }, folder.spool);
    const made = await fill(zip);
    await zip.finish();
    out.end();
    return { made, sizeBytes: (await stored).sizeBytes };
  } catch (error) {
    out.destroy(error as Error);
    throw error;
  } finally {
    await folder.close();
  }
}

export interface PutZip {
  readonly objects: Pick<ObjectStore, 'put'>;
  readonly objectKey: string;
  readonly workDir: string;
  readonly signal: AbortSignal;
}
