import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, type Json, openApi } from './api.ts';
import { type Call, type Command, textOption } from './command.ts';
import { findConnection } from './connection.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { type CatalogueEntry, catalogue } from './model-catalogue.ts';
import { bytes, type Output } from './output.ts';
import { tarOfFiles } from './tar.ts';
import { appOf, download } from './transfers.ts';

const partBytes = 16 * 2 ** 20;
const hubUsual = 'https://huggingface.co';
/** What a repository may carry that says how its network is used. */
const wantedSides = [
  'config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  '1_Pooling/config.json',
  'fovea.json',
  'labels.txt',
];
const networkFiles = ['onnx/model.onnx', 'onnx/vision_model.onnx', 'onnx/text_model.onnx', 'model.onnx'];

/** Where the files of a model are: a folder or an archive of this machine, or a place in the web. */
interface Source {
  readonly name: string;
  readonly typeId: string | undefined;
  /** Paths in the package and where they lie; an archive is one of its own. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
  readonly archive?: string;
  readonly licence: string;
  readonly from: string;
}

async function placeOf(call: Call, api: Api): Promise<string> {
  const user = textOption(call, 'user') ?? (await api.json('GET', '/v2/users/me')).user.id;
  return `/users/${encodeURIComponent(user)}/apps/${encodeURIComponent(appOf(call))}`;
}

const pullOptions = {
  app: { type: 'string' },
  id: { type: 'string' },
  type: { type: 'string' },
  mirror: { type: 'string' },
  revision: { type: 'string' },
  sha256: { type: 'string' },
  yes: { type: 'boolean', short: 'y' },
} as const;

export const pullCommand: Command = {
  name: 'models pull',
  usage: 'models pull NAME|URL|hf:OWNER/REPO|FOLDER|ARCHIVE --app APP [--id ID] [--type TYPE]',
  summary: 'bring an ONNX model to the server: from the catalogue, the web, or this machine',
  options: pullOptions,
  help: {
    app: 'id of the app (FOVEA_APP)',
    id: 'id of the model; made from its name by default',
    type: 'model type, where the files do not tell (visual-classifier, visual-detector, visual-embedder …)',
    mirror: 'where repositories are fetched from, in place of the hub (FOVEA_HUB)',
    revision: 'commit or branch of a repository; main by default',
    sha256: 'checksum that a single file must have',
    yes: 'do not ask about the licence',
  },
  examples: [
    'fovea models pull clip --app photos',
    'fovea models pull hf:onnx-community/dfine-nano-coco-ONNX --app photos',
    'fovea models pull ./my-model --app photos --type visual-classifier',
  ],
  async run(call) {
    const [what] = call.words;
    if (!what) throw usageFault('models pull needs a NAME, URL, hf:OWNER/REPO, FOLDER or ARCHIVE.');
    const api = openApi(findConnection(call));
    const place = await placeOf(call, api);
    const source = await sourceOf(call, what);
    const id =
      textOption(call, 'id') ??
      source.name
        .replace(/[^\w-]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 48);
    call.out.warn(`licence: ${source.licence || 'not stated; find out before you use it'}`);
    const typeId = textOption(call, 'type') ?? source.typeId ?? (await guessType(source));
    await ensureModel(api, place, id, typeId);
    const version = await sendModel(api, place, id, source, call.out);
    const done = await built(api, place, id, version, call.out);
    call.out.result(
      {
        model_id: id,
        model_version_id: version,
        model_type_id: typeId,
        from: source.from,
        licence: source.licence,
        status: done.status,
      },
      [
        `${id}: ready, a ${typeId} from ${source.from}`,
        `  version ${version}`,
        `  licence ${source.licence || 'not stated'}`,
      ],
    );
    return undefined;
  },
};

async function ensureModel(api: Api, place: string, id: string, typeId: string): Promise<void> {
  const base = `/v2${place}/models`;
  const found = await api.json('GET', `${base}/${encodeURIComponent(id)}`).catch((error: unknown) => {
    if (error instanceof CliFault && error.code === exitCode.missing) return undefined;
    throw error;
  });
  if (found) {
    if (found.model.model_type_id !== typeId)
      throw new CliFault(
        `The model '${id}' is of type ${found.model.model_type_id}; name another with --id.`,
      );
    return;
  }
  const isEmbedder = typeId === 'visual-embedder';
  await api.json('POST', base, {
    models: [
      {
        id,
        model_type_id: typeId,
        ...(isEmbedder ? { use_cases: ['image-embedding'] } : {}),
        toolkits: ['ONNX'],
      },
    ],
  });
}

/** Sends the archive part by part; a part that fails is sent again. @returns the version's id */
async function sendModel(api: Api, place: string, id: string, source: Source, out: Output): Promise<string> {
  const { size, chunks } = await archiveOf(source);
  const version = createHash('sha256')
    .update(`${id} ${Date.now()} ${process.pid}`)
    .digest('hex')
    .slice(0, 32);
  const path = `/v2/ext/fovea${place}/models/${encodeURIComponent(id)}/versions/${version}/content_parts`;
  let number = 0;
  let sent = 0;
  for await (const body of inParts(chunks(), partBytes)) {
    number += 1;
    const reply = await api.raw('PUT', `${path}/${number}?total_size=${size}`, { body });
    const text = await reply.text();
    if (!reply.ok)
      throw new CliFault(`The server did not take the model: ${detailsIn(text) || reply.status}`);
    sent += body.length;
    out.progress(`sending ${bytes(sent)} of ${bytes(size)}`);
  }
  return version;
}

async function archiveOf(source: Source) {
  if (source.archive !== undefined) {
    const path = source.archive;
    return {
      size: (await stat(path)).size,
      chunks: () => createReadStream(path) as AsyncIterable<Uint8Array>,
    };
  }
  return tarOfFiles(source.files);
}

async function* inParts(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let count = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + size - count);
      held.push(taken);
      count += taken.length;
      at += taken.length;
      if (count === size) {
        yield Buffer.concat(held);
        [held, count] = [[], 0];
      }
    }
  }
  if (count > 0) yield Buffer.concat(held);
}

const detailsIn = (text: string): string => {
  try {
    const { status } = JSON.parse(text);
    return status.details || status.description;
  } catch {
    return '';
  }
};

async function built(api: Api, place: string, id: string, version: string, out: Output): Promise<Json> {
  const path = `/v2${place}/models/${encodeURIComponent(id)}/versions/${version}`;
  for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
    const { model_version: shown } = await api.json('GET', path);
    if (shown.status.code === 21100) return shown;
    if (shown.status.code !== 21107) throw new CliFault(shown.status.details || shown.status.description);
    out.progress('the server checks the model …');
    await sleep(pause);
  }
}

async function sourceOf(call: Call, what: string): Promise<Source> {
  const local = await stat(what).catch(() => undefined);
  if (local?.isDirectory()) return folderSource(what);
  if (local)
    return {
      name: basename(what).replace(/(\.tar|\.tgz|\.gz|\.zip|\.onnx)+$/, ''),
      typeId: undefined,
      ...fileOrArchive(what),
      licence: '',
      from: what,
    };
  const known = catalogue.find((one) => one.name === what);
  if (known) return repositorySource(call, known.repo, known);
  if (what.startsWith('hf:')) return repositorySource(call, what.slice(3), undefined);
  if (/^https?:\/\//.test(what)) return urlSource(call, what);
  throw new CliFault(
    `'${what}' is no file, no URL, and not in the catalogue; \`fovea models catalogue\` lists it.`,
    exitCode.missing,
  );
}

const fileOrArchive = (path: string) =>
  path.endsWith('.onnx') ? { files: [{ path: 'model.onnx', file: path }] } : { files: [], archive: path };

async function folderSource(folder: string): Promise<Source> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name));
  const files = names.map((file) => ({
    path: file
      .slice(resolve(folder).length - resolve(folder).length + folder.replace(/\/+$/, '').length + 1)
      .replaceAll('\\', '/'),
    file,
  }));
  return {
    name: basename(resolve(folder)),
    typeId: undefined,
    files,
    licence: await licenceIn(files),
    from: folder,
  };
}

async function licenceIn(files: Source['files']): Promise<string> {
  const readme = files.find(({ path }) => /^README\.md$/i.test(path));
  if (!readme) return '';
  return /^licen[sc]e:\s*(\S+)/m.exec(await readFile(readme.file, 'utf8'))?.[1] ?? '';
}

const cacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fovea', 'models');

/** Fetches the files of a repository into a folder of this machine, where they stay for the next time. */
async function repositorySource(
  call: Call,
  repo: string,
  known: CatalogueEntry | undefined,
): Promise<Source> {
  if (!/^[\w.-]+\/[\w.-]+$/.test(repo)) throw usageFault(`'${repo}' is no OWNER/REPO.`);
  const mirror = (textOption(call, 'mirror') ?? process.env.FOVEA_HUB ?? hubUsual).replace(/\/+$/, '');
  const revision = textOption(call, 'revision') ?? known?.revision ?? 'main';
  const folder = join(cacheFolder(), repo.replace('/', '--'), revision);
  const urlOf = (path: string) => `${mirror}/${repo}/resolve/${revision}/${path}`;
  const files: { path: string; file: string }[] = [];
  const want = async (path: string, sha256: string | undefined, isNeeded: boolean) => {
    const file = join(folder, path);
    if (await fetchFile(urlOf(path), file, sha256, isNeeded, call.out)) files.push({ path, file });
  };
  if (known) for (const { path, sha256 } of known.files) await want(path, sha256, true);
  else for (const path of networkFiles) await want(path, undefined, false);
  if (!files.some(({ path }) => path.endsWith('.onnx')))
    throw new CliFault(
      `${mirror}/${repo} has none of ${networkFiles.join(', ')}; is it a repository with ONNX networks?`,
      exitCode.missing,
    );
  for (const { path } of [...files]) if (path.endsWith('.onnx')) await want(`${path}_data`, undefined, false);
  for (const path of wantedSides)
    if (!files.some((one) => one.path === path)) await want(path, undefined, false);
  if (!known) await want('README.md', undefined, false);
  return {
    name: known?.name ?? (repo.split('/')[1] as string),
    typeId: known?.typeId,
    files,
    licence: known?.licence ?? (await licenceIn(files)),
    from: `${repo}@${revision}`,
  };
}

async function urlSource(call: Call, url: string): Promise<Source> {
  const name = basename(new URL(url).pathname) || 'model.onnx';
  const key = createHash('sha256').update(url).digest('hex').slice(0, 16);
  const file = join(cacheFolder(), key, name);
  await fetchFile(url, file, textOption(call, 'sha256'), true, call.out);
  return {
    name: name.replace(/(\.tar|\.tgz|\.gz|\.zip|\.onnx)+$/, ''),
    typeId: undefined,
    ...fileOrArchive(file),
    licence: '',
    from: url,
  };
}

/**
 * Downloads a file, going on where an earlier try broke off; it has its name only when it is whole and right.
 *
 * @returns false when it is not there and nobody needs it
 */
export async function fetchFile(
  url: string,
  to: string,
  sha256: string | undefined,
  isNeeded: boolean,
  out: Output,
): Promise<boolean> {
  if (await stat(to).catch(() => undefined)) {
    if (sha256 === undefined || (await hashOf(to)) === sha256) return true;
    await rm(to);
  }
  const draft = `${to}.part`;
  await mkdir(dirname(to), { recursive: true });
  for (let tries = 1; ; tries += 1) {
    let got = (await stat(draft).catch(() => undefined))?.size ?? 0;
    try {
      const reply = await fetch(url, got > 0 ? { headers: { range: `bytes=${got}-` } } : {});
      if (reply.status === 404 && !isNeeded) return false;
      if (reply.status !== 416) {
        if (!reply.ok || !reply.body)
          throw new CliFault(
            `${url} answered ${reply.status}.`,
            reply.status === 404 ? exitCode.missing : exitCode.failed,
          );
        if (reply.status === 200) got = 0;
        const size = got + Number(reply.headers.get('content-length') ?? 0);
        const file = await open(draft, got > 0 ? 'r+' : 'w');
        try {
          for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
            await file.write(chunk, 0, chunk.length, got);
            got += chunk.length;
            out.progress(`fetching ${basename(to)}: ${bytes(got)} of ${bytes(size)}`);
          }
          await file.truncate(got);
        } finally {
          await file.close();
        }
      }
      break;
    } catch (error) {
      if (error instanceof CliFault) throw error;
      if (tries === 5)
        throw new CliFault(
          `${url} cannot be fetched (${(error as Error).message}); what came is kept, try again.`,
          exitCode.unreachable,
        );
      await sleep(250 * 2 ** tries);
    }
  }
  if (sha256 !== undefined && (await hashOf(draft)) !== sha256) {
    await rm(draft);
    throw new CliFault(`${url} is not the file that was expected: its SHA-256 differs. Nothing was kept.`);
  }
  await rename(draft, to);
  return true;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The type that the repository's config.json or our own fovea.json tells; the server checks it again. */
async function guessType({ files }: Source): Promise<string> {
  const read = async (name: string): Promise<Json> => {
    const found = files.find(({ path }) => path === name || path.endsWith(`/${name}`));
    return found ? JSON.parse(await readFile(found.file, 'utf8')) : {};
  };
  const { task } = await read('fovea.json');
  const byTask: Record<string, string> = {
    'image-classification': 'visual-classifier',
    'object-detection': 'visual-detector',
    'image-segmentation': 'visual-segmenter',
    'image-embedding': 'visual-embedder',
    'image-text-embedding': 'visual-embedder',
    'text-embedding': 'text-embedder',
  };
  if (byTask[task]) return byTask[task];
  const names = files.map(({ path }) => basename(path));
  if (
    names.some((name) => name.startsWith('vision_model')) &&
    names.some((name) => name.startsWith('text_model'))
  )
    return 'visual-embedder';
  const architecture = String((await read('config.json')).architectures?.[0] ?? '');
  if (/ForImageClassification/.test(architecture)) return 'visual-classifier';
  if (/ObjectDetection/.test(architecture)) return 'visual-detector';
  if (/ForSemanticSegmentation/.test(architecture)) return 'visual-segmenter';
  if (names.includes('tokenizer.json')) return 'text-embedder';
  if (/Model$/.test(architecture)) return 'visual-embedder';
  throw usageFault(
    'What the model does cannot be told from its files; say it with --type (visual-classifier, visual-detector, visual-segmenter, visual-embedder or text-embedder).',
  );
}

export const catalogueCommand: Command = {
  name: 'models catalogue',
  usage: 'models catalogue',
  summary: 'models that `models pull` knows by name, with their licences',
  async run({ out }) {
    out.result(
      catalogue,
      catalogue.map(
        ({ name, licence, repo, about }) => `${name.padEnd(22)} ${licence.padEnd(14)} ${about} (${repo})`,
      ),
    );
    return undefined;
  },
};

export const showModelCommand: Command = {
  name: 'models show',
  usage: 'models show MODEL --app APP',
  summary: 'what a model is: type, versions, labels, networks, licence',
  options: { app: { type: 'string' } },
  help: { app: 'id of the app (FOVEA_APP)' },
  async run(call) {
    const [id] = call.words;
    if (!id) throw usageFault('Which MODEL?');
    const api = openApi(findConnection(call));
    const path = `/v2${await placeOf(call, api)}/models/${encodeURIComponent(id)}`;
    const { model } = await api.json('GET', path);
    const version = model.model_version ?? {};
    const facts = version.metadata?.package ?? {};
    call.out.result(model, [
      `${model.id}: ${model.model_type_id}`,
      `  version  ${version.id ?? 'none'} (${version.status?.code ?? '-'} ${version.status?.description ?? ''})`,
      `  licence  ${version.license || facts.licence || 'not stated'}`,
      ...(facts.networks ?? []).map(
        (one: Json) =>
          `  network  ${one.file}: opset ${one.opset}, ${one.operators} operators, ${bytes(one.weightBytes)}`,
      ),
    ]);
    return undefined;
  },
};

export const removeModelCommand: Command = {
  name: 'models remove',
  usage: 'models remove MODEL --app APP',
  summary: 'delete a model with all its versions',
  options: { app: { type: 'string' } },
  help: { app: 'id of the app (FOVEA_APP)' },
  async run(call) {
    const [id] = call.words;
    if (!id) throw usageFault('Which MODEL?');
    const api = openApi(findConnection(call));
    await api.json('DELETE', `/v2${await placeOf(call, api)}/models/${encodeURIComponent(id)}`);
    call.out.result({ removed: id }, [`${id} is gone`]);
    return undefined;
  },
};

export const exportModelCommand: Command = {
  name: 'models export',
  usage: 'models export MODEL --app APP [--version VERSION] [--out FILE.tar]',
  summary: 'take a model away as a file that any Fovea takes with `models pull FILE --type TYPE`',
  options: { app: { type: 'string' }, version: { type: 'string' }, out: { type: 'string', short: 'o' } },
  help: { app: 'id of the app (FOVEA_APP)', version: 'the newest by default', out: 'MODEL.tar by default' },
  async run(call) {
    const [id] = call.words;
    if (!id) throw usageFault('Which MODEL?');
    const to = textOption(call, 'out') ?? `${id}.tar`;
    if (await stat(to).catch(() => undefined))
      throw usageFault(`${to} exists already; name another with --out.`);
    const api = openApi(findConnection(call));
    const path = `/v2${await placeOf(call, api)}/models/${encodeURIComponent(id)}`;
    const version = textOption(call, 'version') ?? (await api.json('GET', path)).model.model_version?.id;
    const one = `${path}/versions/${encodeURIComponent(version)}/exports`;
    await api.json('PUT', one, {});
    for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
      const { export: made } = await api.json('GET', one);
      if (made.status.code === 21500) {
        const { pathname } = new URL(made.url);
        await download(api, pathname, Number(made.size), to, call.out);
        call.out.result({ ...made, out: to }, [`${to}: ${bytes(Number(made.size))}`]);
        return undefined;
      }
      if (made.status.code === 21502) throw new CliFault(made.status.details || 'The export failed.');
      call.out.progress('the server packs the model …');
      await sleep(pause);
    }
  },
};

export const modelCommands: readonly Command[] = [
  pullCommand,
  catalogueCommand,
  showModelCommand,
  removeModelCommand,
  exportModelCommand,
];
