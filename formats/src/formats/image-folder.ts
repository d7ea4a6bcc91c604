import { type FileSink, readText, utf8 } from '../files.ts';
import type { Format, FormatId, Listing, WriteContext } from '../format.ts';
import { isUsualSplit, joinPath, splitNamed, uniquePaths } from '../paths.ts';
import { compact, type Dataset, type ImageRecord } from '../record.ts';

/** One folder per class, in one folder per part of the set where there are parts: what classifiers are trained on. */
const openFolder = (id: FormatId, title: string, certainty: number): Format => ({
  id,
  title,
  holds: { 'image-label': true, split: true },
  detect: async (listing) => ((await detect(listing)) ? certainty : 0),
  read,
  write,
});

export const imageFolder = openFolder('image-folder', 'folders by class', 0.3);
export const yoloClassify = openFolder('yolo-classify', 'YOLO classes (folders by class)', 0.2);

/** Pictures two folders deep or more, and nothing that looks like annotations. */
async function detect({ imagePaths, paths }: Listing): Promise<boolean> {
  if (imagePaths.length === 0) return false;
  const others = paths.filter((path) => /\.(json|xml|csv|ya?ml)$/i.test(path));
  return others.length === 0 && imagePaths.every((path) => path.includes('/'));
}

/** Beside the folders, for classes without pictures; trainers pass over it. */
const listName = 'classes.txt';

async function read({ tree, paths, imagePaths }: Listing): Promise<Dataset> {
  const isOurs = paths.includes(listName);
  const listed = isOurs ? (await readText(tree, listName, 4 * 2 ** 20).catch(() => '')).split(/\r?\n/) : [];
  const top = isOurs ? '' : commonFolder(imagePaths);
  const placed = imagePaths.map((path) => ({ path, ...placeOf(path.slice(top.length)) }));
  const met = placed.flatMap(({ label }) => label ?? []).sort();
  const names = new Set([...listed.filter((name) => name !== '').map(labelOf), ...met]);
  return {
    classes: [...names].map((name) => ({ name })),
    async *records() {
      for (const { path, label, split, name } of placed) {
        yield compact<ImageRecord>({
          path: name,
          split,
          annotations: label === undefined ? [] : [{ label }],
          bytes: () => tree.stream(path),
        }) as ImageRecord;
      }
    },
  };
}

/** A folder around everything, which archives often have, is no class, unless nothing in it could be one. */
function commonFolder(paths: readonly string[]): string {
  const [first = ''] = paths;
  const parts = first.split('/').slice(0, -1);
  let top = '';
  for (const part of parts) {
    const longer = `${top}${part}/`;
    const depth = longer.split('/').length - 1;
    if (
      isUsualSplit(part) ||
      !paths.every((path) => path.startsWith(longer) && path.split('/').length > depth + 1)
    )
      break;
    top = longer;
  }
  return top;
}

function placeOf(path: string): { label?: string; split?: string; name: string } {
  const parts = path.split('/');
  const [first = ''] = parts;
  if (isUsualSplit(first) && parts.length > 2)
    return { split: splitNamed(first), ...placeInClass(parts.slice(1)) };
  return placeInClass(parts);
}

function placeInClass(parts: readonly string[]) {
  const [folder, ...rest] = parts as [string, ...string[]];
  return rest.length === 0 ? { name: folder } : { label: labelOf(folder), name: rest.join('/') };
}

/** What folders cannot be called everywhere is written as its number, and read back. */
const folderOfLabel = (label: string): string =>
  label.replace(
    /[/\\:*?"<>|%\u0000-\u001f]|^[. ]|[. ]$/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
const labelOf = (folder: string): string =>
  folder.replace(/%(2F|5C|3A|2A|3F|22|3C|3E|7C|25|2E|20|[01][0-9A-F])/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );

async function write(dataset: Dataset, sink: FileSink, { report }: WriteContext): Promise<void> {
  const unique = uniquePaths();
  const names = new Set(dataset.classes.map(({ name }) => name));
  for await (const record of dataset.records()) {
    const label = record.annotations.find((one) => one.label !== undefined)?.label;
    if (label === undefined) continue;
    names.add(label);
    if (!record.bytes) {
      report({
        severity: 'error',
        code: 'missing-image',
        path: record.path,
        message: 'has no file, and this format is made of files only; left out',
      });
      continue;
    }
    const wanted = joinPath(record.split, folderOfLabel(label), record.path);
    const path = unique(wanted);
    if (path !== wanted)
      report({
        severity: 'warning',
        code: 'name-clash',
        path: wanted,
        message: `is written as ${path}, since another picture has its name`,
      });
    await sink.add(path, record.bytes());
  }
  await sink.add(
    listName,
    [...names].map((name) => utf8(`${folderOfLabel(name)}\n`)),
  );
}
