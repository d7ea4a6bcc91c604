import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FileTree, storedZipSize, zipTo } from '@fovea/formats';
import { type Api, type Json, openApi } from './api.ts';
import { type Call, type Command, textOption } from './command.ts';
import { findConnection } from './connection.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { openTemp, openTree } from './files.ts';
import { bytes, type Output } from './output.ts';
import { formatList, formatOf, lossLines, problemLines, showSet } from './sets.ts';

const partBytes = 8 * 2 ** 20;

export const appOf = (call: Call): string => {
  const app = textOption(call, 'app') ?? process.env.FOVEA_APP ?? process.env.CLARIFAI_APP_ID;
  if (app) return app;
  throw usageFault('Which app? Name it with --app or FOVEA_APP; `fovea apps list` shows them.');
};

export async function placeOf(call: Call, api: Api): Promise<{ base: string; ext: string }> {
  const user = textOption(call, 'user') ?? (await api.json('GET', '/v2/users/me')).user.id;
  const place = `/users/${encodeURIComponent(user)}/apps/${encodeURIComponent(appOf(call))}`;
  return { base: `/v2${place}`, ext: `/v2/ext/fovea${place}` };
}

export const importCommand: Command = {
  name: 'import',
  usage: 'import PATH|--upload ID --app APP --dataset DATASET [--format FORMAT] [--dry-run]',
  summary: 'bring a folder or ZIP archive of any known format into a dataset',
  options: {
    app: { type: 'string' },
    dataset: { type: 'string' },
    format: { type: 'string' },
    upload: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  help: {
    app: 'id of the app (FOVEA_APP)',
    dataset: 'id of the dataset; made where there is none',
    format: `found out by default; one of ${formatList}`,
    upload: 'an archive that the server has already, by PostUploads, instead of PATH; it stays there',
    'dry-run': 'say what is in it and what would be lost; needs no server',
  },
  examples: ['fovea import street/ --dry-run', 'fovea import street.zip --app traffic --dataset street'],
  async run(call) {
    const [path] = call.words;
    const sent = textOption(call, 'upload');
    if ((path === undefined) === (sent === undefined))
      throw usageFault('import needs the PATH of a folder or a ZIP archive, or --upload ID.');
    const isDry = call.options['dry-run'] === true;
    if (path !== undefined && isDry) return showSet(call, path);
    const dataset = textOption(call, 'dataset');
    if (!dataset) throw usageFault('Into which dataset? Name it with --dataset.');
    const format = textOption(call, 'format');
    if (format !== undefined) formatOf(format);
    const api = openApi(findConnection(call));
    const { base, ext } = await placeOf(call, api);
    const uploadId = sent ?? (await upload(api, base, ext, path as string, call.out));
    const { transfer } = await api.json('POST', `${ext}/imports`, {
      upload_id: uploadId,
      dataset_id: dataset,
      dry_run: isDry,
      ...(format === undefined ? {} : { format }),
    });
    const done = await ended(api, ext, transfer.id, call.out);
    if (sent === undefined)
      await api.json('DELETE', `${base}/uploads`, { ids: [uploadId] }).catch(() => undefined);
    const { progress, problems } = done;
    call.out.result(done, [
      `${path ?? uploadId} (${done.format}) → dataset ${dataset}${isDry ? ' (dry run: nothing written)' : ''}`,
      `  images       ${progress.inputs_added} added, ${progress.inputs_present} there before, ${progress.inputs_failed} failed`,
      `  annotations  ${progress.annotations_added} there, ${progress.annotations_failed} failed`,
      ...(problems.length > 0 ? ['Problems:', ...problemLines(problems)] : []),
    ]);
    return progress.inputs_failed + progress.annotations_failed > 0 ? exitCode.partly : undefined;
  },
};

/** Sends an archive as it is; a folder becomes one on the way, without a copy on the disk. */
async function upload(api: Api, base: string, ext: string, path: string, out: Output): Promise<string> {
  const facts = await stat(path).catch(() => undefined);
  if (!facts) throw new CliFault(`${path} is not there.`, exitCode.missing);
  const temp = await openTemp();
  try {
    const tree = await openTree(path, temp.spool);
    const entries = facts.isDirectory() ? await tree.list() : [];
    const size = facts.isDirectory() ? storedZipSize(entries) : facts.size;
    const made = await api.json('POST', `${base}/uploads`, {
      uploads: [{ content_name: 'import.zip', content_length: size }],
    });
    const id = made.uploads[0].id as string;
    const send = partSender(api, `${ext}/uploads/${encodeURIComponent(id)}`, size, out);
    if (facts.isDirectory()) await sendFolder(tree, entries, send);
    else
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
        await send.write(chunk as Buffer);
    await send.end();
    await tree.close();
    return id;
  } finally {
    await temp.close();
  }
}

async function sendFolder(
  tree: FileTree,
  entries: readonly { path: string; size: number }[],
  send: { write(bytes: Uint8Array): Promise<void> },
) {
  const zip = zipTo(send.write, undefined, { stored: true });
  for (const { path } of entries) await zip.add(path, tree.stream(path));
  await zip.finish();
}

/** Gathers bytes into parts and puts one after the other. */
function partSender(api: Api, path: string, size: number, out: Output) {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let sent = 0;
  let number = 1;
  const flush = async () => {
    if (heldBytes === 0) return;
    const body = Buffer.concat(held, heldBytes);
    if (sent + body.length > size)
      throw new CliFault('A file changed while it was sent; nothing was imported. Try again.');
    const reply = await api.raw('PUT', `${path}/content_parts/${number}?range_start=${sent}`, { body });
    if (!reply.ok) throw new CliFault(`The server did not take the upload: ${await detailsOf(reply)}`);
    await reply.body?.cancel();
    number += 1;
    sent += body.length;
    held = [];
    heldBytes = 0;
    out.progress(`sending ${bytes(sent)} of ${bytes(size)}`);
  };
  return {
    async write(chunk: Uint8Array) {
      for (let at = 0; at < chunk.length; ) {
        const taken = chunk.slice(at, at + partBytes - heldBytes);
        held.push(taken);
        heldBytes += taken.length;
        at += taken.length;
        if (heldBytes === partBytes) await flush();
      }
    },
    async end() {
      await flush();
      if (sent !== size)
        throw new CliFault('A file changed while it was sent; nothing was imported. Try again.');
    },
  };
}

async function detailsOf(reply: Response): Promise<string> {
  const text = await reply.text();
  try {
    const { status } = JSON.parse(text);
    return status.details || status.description;
  } catch {
    return `status ${reply.status}`;
  }
}

/** @throws CliFault when it ends without success */
async function ended(api: Api, ext: string, id: string, out: Output): Promise<Json> {
  for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
    const { transfer } = await api.json('GET', `${ext}/transfers/${encodeURIComponent(id)}`);
    const { state, progress, reason } = transfer;
    if (state === 'done') return transfer;
    if (state === 'failed' || state === 'cancelled')
      throw new CliFault(reason || `The transfer was ${state}.`);
    const done = transfer.kind === 'export' ? progress.written : progress.phase_done;
    out.progress(
      `${transfer.kind === 'export' ? 'writing' : progress.phase} ${done}${progress.images > 0 ? ` of ${progress.images}` : ''} …`,
    );
    await sleep(pause);
  }
}

export const exportCommand: Command = {
  name: 'export',
  usage: 'export DATASET --app APP --format FORMAT [--version V] [--out FILE.zip] [--no-images]',
  summary: 'take a dataset, or a version of it, out as a ZIP archive of any known format',
  options: {
    app: { type: 'string' },
    format: { type: 'string' },
    version: { type: 'string' },
    out: { type: 'string', short: 'o' },
    'no-images': { type: 'boolean' },
  },
  help: {
    app: 'id of the app (FOVEA_APP)',
    format: `one of ${formatList}`,
    version: 'the dataset as it was in this version; as it is now by default',
    out: 'name of the archive; DATASET-FORMAT.zip by default, DATASET-VERSION-FORMAT.zip of a version',
    'no-images': 'what is said of the pictures only',
  },
  examples: [
    'fovea export street --app traffic --format yolo-segment -o street.zip',
    'fovea export street --app traffic --version v1 --format coco',
  ],
  async run(call) {
    const [dataset] = call.words;
    const named = textOption(call, 'format');
    if (!dataset || !named) throw usageFault('export needs a DATASET and --format.');
    const format = formatOf(named);
    const version = textOption(call, 'version');
    const name = version === undefined ? dataset : `${dataset}-${version}`;
    const to = textOption(call, 'out') ?? `${name}-${format.id}.zip`;
    if (await stat(to).catch(() => undefined))
      throw usageFault(`${to} exists already; name another with --out.`);
    const api = openApi(findConnection(call));
    const { ext } = await placeOf(call, api);
    const { transfer } = await api.json('POST', `${ext}/exports`, {
      dataset_id: dataset,
      format: format.id,
      with_images: call.options['no-images'] !== true,
      ...(version === undefined ? {} : { dataset_version_id: version }),
    });
    const done = await ended(api, ext, transfer.id, call.out);
    await download(
      api,
      `${ext}/transfers/${encodeURIComponent(transfer.id)}/content`,
      done.size,
      to,
      call.out,
    );
    await api.json('DELETE', `${ext}/transfers/${encodeURIComponent(transfer.id)}`).catch(() => undefined);
    const losses = done.report.losses?.[format.id] ?? {};
    call.out.result({ ...done, out: to }, [
      `${to}: ${done.report.images} images and ${done.report.annotations} annotations as ${format.title}, ${bytes(done.size)}`,
      ...(Object.keys(losses).length > 0 ? ['Not kept:', ...lossLines(losses)] : []),
      ...problemLines(done.problems),
    ]);
    return done.report.errors > 0 ? exitCode.partly : undefined;
  },
};

/** Goes on where it was when the line breaks; the file has its name only when it is whole. */
export async function download(api: Api, path: string, size: number, to: string, out: Output): Promise<void> {
  const draft = `${to}.part-${process.pid}`;
  const file = await open(draft, 'wx');
  try {
    let got = 0;
    for (let idle = 0; got < size; ) {
      const before = got;
      try {
        const reply = await api.raw('GET', path, { headers: { range: `bytes=${got}-` } });
        if (!reply.ok || !reply.body)
          throw new CliFault(`The archive cannot be fetched: ${await detailsOf(reply)}`);
        if (reply.status === 200) got = 0;
        for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
          await file.write(chunk, 0, chunk.length, got);
          got += chunk.length;
          out.progress(`fetching ${bytes(got)} of ${bytes(size)}`);
        }
      } catch (error) {
        if (error instanceof CliFault) throw error;
      }
      idle = got > before ? 0 : idle + 1;
      if (idle === 5)
        throw new CliFault(
          'The archive cannot be fetched: the connection breaks again and again.',
          exitCode.unreachable,
        );
    }
    await file.sync();
    await file.close();
    await rename(draft, to);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(draft, { force: true });
    throw error;
  }
}
