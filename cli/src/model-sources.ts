import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { Json } from './api.ts';
import { type Call, textOption } from './command.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { type CatalogueEntry, catalogue } from './model-catalogue.ts';
import { fetchFile } from './model-fetch.ts';

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
export interface Source {
  readonly name: string;
  readonly typeId: string | undefined;
  /** Paths in the package and where they lie; an archive is one of its own. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
  readonly archive?: string;
  readonly licence: string;
  readonly from: string;
}

export async function sourceOf(call: Call, what: string): Promise<Source> {
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
  // By repository and not by mirror: wherever a file comes from, it is the same file.
  const checks = (path: string) => ({
    record: { folder: cacheFolder(), name: `${repo}@${revision}/${path}` },
    acceptsChanges: call.options['accept-changes'] === true,
  });
  const want = async (path: string, sha256: string | undefined, isNeeded: boolean) => {
    const file = join(folder, path);
    if (await fetchFile(urlOf(path), file, { ...checks(path), sha256, isNeeded }, call.out))
      files.push({ path, file });
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
  const checks = {
    record: { folder: cacheFolder(), name: url },
    acceptsChanges: call.options['accept-changes'] === true,
    sha256: textOption(call, 'sha256'),
    isNeeded: true,
  };
  await fetchFile(url, file, checks, call.out);
  return {
    name: name.replace(/(\.tar|\.tgz|\.gz|\.zip|\.onnx)+$/, ''),
    typeId: undefined,
    ...fileOrArchive(file),
    licence: '',
    from: url,
  };
}

/** The type that the repository's config.json or our own fovea.json tells; the server checks it again. */
export async function guessType({ files }: Source): Promise<string> {
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
