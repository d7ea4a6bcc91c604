import type { Upload } from '@fovea/contract/rest';
import { call, rpc } from '../api/client.ts';
import type { AppName } from '../api/queries.ts';
import { onServerState } from '../api/server-state.ts';
import { code, Trouble } from '../api/trouble.ts';
import { pathTo } from '../app/place.ts';

const partBytesMin = 8_000_000;
const partsMax = 9_000;
const uploadStatus = { inProgress: 68000, done: 68001 } as const;
/** How often a part that fails for another reason than a lost server is sent again. */
const triesMax = 4;

/** The same file has the same id, so sending it again after a reload goes on where it stopped. */
export function uploadIdOf({ name, size, lastModified }: File): string {
  let hash = 0x811c9dc5;
  for (const letter of `${name}/${size}/${lastModified}`)
    hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16777619);
  return `page-${size}-${(hash >>> 0).toString(16).padStart(8, '0')}`;
}

const keptKey = (app: AppName, id: string): string => `fovea.upload.${app.user_id}/${app.app_id}/${id}`;

/** Waits until the server is back. */
const serverBack = (): Promise<void> =>
  new Promise((resolve) => {
    const stop = onServerState((isLost) => {
      if (isLost) return;
      stop();
      resolve();
    });
  });

/**
 * Sends content as it is, in parts, through the contract's uploads. A lost connection is waited out; what the server
 * has is not sent again, even after a reload.
 *
 * @param progress gets what the server has, in bytes
 */
export async function sendContent(
  app: AppName,
  id: string,
  name: string,
  content: Blob,
  progress: (bytes: number) => void,
  { signal, post = postUpload }: { signal?: AbortSignal; post?: PostUpload } = {},
): Promise<void> {
  const key = keptKey(app, id);
  if ((await begin(app, { id, content_name: name, content_length: String(content.size) }, post)) === 'done') {
    localStorage.removeItem(key);
    progress(content.size);
    return;
  }
  const partBytes = Math.max(partBytesMin, Math.ceil(content.size / partsMax));
  const had = Math.min(Number(localStorage.getItem(key)) || 0, content.size);
  const base = `/v2/ext/fovea${pathTo('users', app.user_id, 'apps', app.app_id, 'uploads', id)}/content_parts`;
  for (let start = had - (had % partBytes); start < content.size; start += partBytes) {
    const path = `${base}/${start / partBytes + 1}?range_start=${start}`;
    await sendPart(path, content.slice(start, start + partBytes), signal);
    const there = Math.min(content.size, start + partBytes);
    localStorage.setItem(key, String(there));
    progress(there);
  }
  localStorage.removeItem(key);
  const { upload } = await rpc('GetUpload', { user_app_id: app, upload_id: id }, { quiet: true });
  if (upload?.status?.code === uploadStatus.done) return;
  // What this browser remembered was not true: all of it again, which the server counts once.
  if (had > 0) await sendContent(app, id, name, content, progress, { ...(signal ? { signal } : {}), post });
  else throw new Trouble(upload?.status?.details ?? '', { advice: 'advice.change' });
}

/** Makes an upload: as such, or as one whose content becomes inputs when it is whole. */
export type PostUpload = (app: AppName, upload: Upload) => Promise<unknown>;

const postUpload: PostUpload = (app, upload) => rpc('PostUploads', { user_app_id: app, uploads: [upload] });

async function begin(app: AppName, upload: Upload, post: PostUpload): Promise<'open' | 'done'> {
  const id = upload.id ?? '';
  try {
    await post(app, upload);
    localStorage.removeItem(keptKey(app, id));
    return 'open';
  } catch (thrown) {
    if (!(thrown instanceof Trouble) || thrown.code !== code.duplicateId) throw thrown;
  }
  const found = await rpc('GetUpload', { user_app_id: app, upload_id: id }, { quiet: true });
  if (found.upload?.status?.code === uploadStatus.done) return 'done';
  if (found.upload?.status?.code === uploadStatus.inProgress) return 'open';
  await rpc('DeleteUploads', { user_app_id: app, ids: [id] });
  await post(app, upload);
  localStorage.removeItem(keptKey(app, id));
  return 'open';
}

async function sendPart(path: string, part: Blob, signal: AbortSignal | undefined): Promise<void> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      await call('PUT', path, part, { quiet: true, signal });
      return;
    } catch (thrown) {
      if (!(thrown instanceof Trouble)) throw thrown;
      if (thrown.isKey && thrown.message === 'trouble.unreachable') {
        await serverBack();
        tries = 0;
      } else if (tries >= triesMax) throw thrown;
    }
  }
}

/**
 * One file as a tar archive around it, without reading it: how a file that no request holds becomes an input.
 *
 * @param path of ASCII letters, at most 100
 */
export function tarOf(path: string, file: Blob): Blob {
  const header = new Uint8Array(512);
  const write = (text: string, at: number) => header.set(new TextEncoder().encode(text), at);
  write(path, 0);
  write('0000644\0', 100);
  write('0000000\0', 108);
  write('0000000\0', 116);
  // Past 8 GiB the size is binary (GNU): the highest bit says so.
  if (file.size < 8 ** 11) write(`${file.size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    header[124] = 0x80;
    for (let i = 0, left = file.size; i < 8; i++, left = Math.floor(left / 256)) header[135 - i] = left % 256;
  }
  write('00000000000\0', 136);
  write('        ', 148);
  write('0', 156);
  write('ustar\0', 257);
  write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = new Uint8Array((512 - (file.size % 512)) % 512);
  return new Blob([header, file, padding, new Uint8Array(1024)]);
}
