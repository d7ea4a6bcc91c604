import { type Fields, fieldsOf, get } from '../fields.ts';
import { type RandomFile, textOf } from '../files.ts';
import type { Listing, ReadContext } from '../format.ts';
import { NumberList } from '../numbers.ts';
import { baseOf, folderOf, isUsualSplit, noSplit, splitNamed, splitOfName, stemOf } from '../paths.ts';
import { type Report, reportBroken } from '../problems.ts';
import type { Annotation, ClassInfo, Dataset, ImageRecord } from '../record.ts';
import { JsonBroken, parseJson, scanJson } from '../text/json-scan.ts';
import { bytesOf } from '../tree-bytes.ts';
import { readAnnotation, readCategory, readImage } from './coco-items.ts';

export const jsonPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.json$/i.test(path) && !/(^|\/)\./.test(path));

/** One file, with the places of what lies in it. */
interface Source {
  readonly path: string;
  readonly split: string | undefined;
  readonly categories: Map<number, ClassInfo>;
  /** Picture of each annotation, and where the annotation lies. */
  readonly owners: NumberList;
  readonly starts: NumberList;
  readonly ends: NumberList;
  /** Annotations by picture: those of picture i are order[first[i] .. first[i + 1]). */
  order: Uint32Array;
  first: Uint32Array;
}

/** Pictures of one split, as any of its files name them. */
interface Pictures {
  readonly byName: Map<string, number>;
  readonly list: Omit<ImageRecord, 'annotations' | 'bytes'>[];
}

export async function readCoco(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  const sources: Source[] = [];
  const pictures = new Map<string, Pictures>();
  for (const path of jsonPaths(listing)) {
    const split = splitOf(path);
    const shared = pictures.get(split ?? '') ?? { byName: new Map(), list: [] };
    const source = await indexFile(listing, path, split, shared, report);
    if (!source) continue;
    pictures.set(split ?? '', shared);
    sources.push(source);
  }
  for (const source of sources) sortByPicture(source, pictures.get(source.split ?? '')?.list.length ?? 0);
  return {
    classes: classesOf(sources),
    records: ({ annotations } = { annotations: true }) =>
      records(listing, sources, pictures, report, annotations),
  };
}

/** `instances_train2017.json`, `train/_annotations.coco.json`, `train.json`; anything else names no split. */
export function splitOf(path: string): string | undefined {
  const stem = stemOf(baseOf(path));
  const named =
    /^(?:instances|person_keypoints|keypoints|captions|labels|image_info|stuff|panoptic)_(.+)$/.exec(stem);
  if (named) return splitOfName(named[1] as string);
  if (isUsualSplit(stem)) return splitNamed(stem);
  const folder = baseOf(folderOf(path));
  return isUsualSplit(folder) ? splitNamed(folder) : undefined;
}

async function indexFile(
  { tree }: Listing,
  path: string,
  split: string | undefined,
  pictures: Pictures,
  report: Report,
): Promise<Source | undefined> {
  const source: Source = {
    path,
    split,
    categories: new Map(),
    owners: new NumberList(),
    starts: new NumberList(),
    ends: new NumberList(),
    order: new Uint32Array(),
    first: new Uint32Array(),
  };
  const placeOfId = new Map<string, number>();
  // Annotations may come before the pictures they belong to.
  const early: { imageId: string; start: number; end: number }[] = [];
  let isCoco = false;
  let index = 0;
  try {
    for await (const { key, inArray, start, end, bytes } of scanJson(tree.stream(path))) {
      if (!inArray || !['images', 'annotations', 'categories'].includes(key)) continue;
      index += 1;
      const text = textOf(bytes);
      if (key === 'annotations') {
        const imageId = imageIdIn(text, path, index, report);
        if (imageId === undefined) continue;
        const place = placeOfId.get(imageId);
        if (place === undefined) early.push({ imageId, start, end });
        else addPlace(source, place, start, end);
        isCoco = true;
        continue;
      }
      const item = itemOf(text, path, `${key}[${index}]`, report);
      if (!item) continue;
      if (key === 'categories') {
        const category = readCategory(item);
        if (category) source.categories.set(category.number, category.info);
        isCoco ||= category !== undefined;
        continue;
      }
      const image = readImage(item, split, { path, report });
      if (!image) continue;
      isCoco = true;
      const { record, number } = image;
      if (placeOfId.has(number)) {
        report({
          severity: 'error',
          code: 'duplicate',
          path,
          at: `image ${number}`,
          message: 'the id names two images; the later one is left out',
        });
        continue;
      }
      placeOfId.set(number, placeOf(pictures, record));
    }
  } catch (error) {
    reportBroken(error, JsonBroken, path, report);
  }
  for (const { imageId, start, end } of early) {
    const place = placeOfId.get(imageId);
    if (place !== undefined) addPlace(source, place, start, end);
    else
      report({
        severity: 'error',
        code: 'broken-item',
        path,
        at: `byte ${start}`,
        message: `image_id ${imageId} names no image of this file; the annotation is left out`,
      });
  }
  return isCoco ? source : undefined;
}

function addPlace(source: Source, place: number, start: number, end: number): void {
  source.owners.push(place);
  source.starts.push(start);
  source.ends.push(end);
}

function placeOf(pictures: Pictures, record: Pictures['list'][number]): number {
  const known = pictures.byName.get(record.path);
  if (known !== undefined) return known;
  pictures.byName.set(record.path, pictures.list.length);
  return pictures.list.push(record) - 1;
}

/** The picture of an annotation without reading all of it, which is most of the file. */
function imageIdIn(text: string, path: string, index: number, report: Report): string | undefined {
  const item = itemOf(text, path, `annotations[${index}]`, report);
  if (!item) return undefined;
  const id = get(item, 'image_id');
  if (typeof id === 'number' || typeof id === 'string') return String(id);
  report({
    severity: 'error',
    code: 'broken-item',
    path,
    at: `annotation ${String(get(item, 'id'))}`,
    message: 'has no image_id; left out',
  });
  return undefined;
}

function itemOf(text: string, path: string, at: string, report: Report): Fields | undefined {
  try {
    const { value } = parseJson(text);
    const fields = fieldsOf(value);
    if (fields) return fields;
    report({ severity: 'error', code: 'broken-item', path, at, message: 'is not an object; left out' });
  } catch (error) {
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at,
      message: `${(error as Error).message}; left out`,
    });
  }
  return undefined;
}

/** A counting sort: two numbers per annotation, whatever the order of the file. */
function sortByPicture(source: Source, pictures: number): void {
  const { owners } = source;
  const first = new Uint32Array(pictures + 1);
  for (let i = 0; i < owners.length; i++) first[owners.at(i) + 1] = (first[owners.at(i) + 1] as number) + 1;
  for (let i = 0; i < pictures; i++) first[i + 1] = (first[i + 1] as number) + (first[i] as number);
  const next = first.slice();
  const order = new Uint32Array(owners.length);
  for (let i = 0; i < owners.length; i++) {
    const owner = owners.at(i);
    order[next[owner] as number] = i;
    next[owner] = (next[owner] as number) + 1;
  }
  source.first = first;
  source.order = order;
}

/** Classes of all files by their number, so that numbers keep their order. */
function classesOf(sources: readonly Source[]): ClassInfo[] {
  const found = new Map<string, { info: ClassInfo; number: number }>();
  for (const { categories } of sources) {
    for (const [number, info] of categories) {
      const known = found.get(info.name);
      if (!known) found.set(info.name, { info, number });
      else if (info.keypoints && !known.info.keypoints) found.set(info.name, { info, number: known.number });
    }
  }
  return [...found.values()].sort((a, b) => a.number - b.number).map(({ info }) => info);
}

async function* records(
  listing: Listing,
  sources: readonly Source[],
  pictures: ReadonlyMap<string, Pictures>,
  report: Report,
  withAnnotations: boolean,
): AsyncGenerator<ImageRecord> {
  const opened = new Map<Source, RandomFile>();
  try {
    for (const source of withAnnotations ? sources : [])
      opened.set(source, readAhead(await listing.tree.open(source.path)));
    for (const [split, { list }] of pictures) {
      const own = sources.filter((source) => (source.split ?? '') === split);
      for (const [place, picture] of list.entries()) {
        const annotations: Annotation[] = [];
        for (const source of withAnnotations ? own : []) {
          const file = opened.get(source) as RandomFile;
          for (const item of await itemsOf(source, file, place, report)) {
            const read = readAnnotation(item, source.categories, picture, { path: source.path, report });
            if (read) addOrMerge(annotations, read);
          }
        }
        yield { ...picture, annotations, ...imageBytes(listing, picture, own, report) };
      }
    }
  } finally {
    for (const file of opened.values()) await file.close();
  }
}

/** The official keypoint files repeat the instance files: the same id on the same picture is the same object. */
function addOrMerge(annotations: Annotation[], one: Annotation): void {
  const twin = annotations.findIndex(
    ({ id, label, text }) => id !== undefined && id === one.id && label === one.label && text === one.text,
  );
  if (twin < 0) annotations.push(one);
  else annotations[twin] = { ...annotations[twin], ...one };
}

/** Bytes that are read at once: the annotations of some hundred pictures, where they are sorted by picture. */
const aheadBytes = 64 * 1024;

/** Reads more than is asked for, and answers what lies in it without another read. */
function readAhead(file: RandomFile): RandomFile {
  let held: Uint8Array = new Uint8Array();
  let from = 0;
  return {
    size: file.size,
    async read(start, end) {
      if (start < from || end > from + held.length) {
        held = await file.read(start, Math.min(file.size, Math.max(end, start + aheadBytes)));
        from = start;
      }
      return held.subarray(start - from, end - from);
    },
    close: () => file.close(),
  };
}

const gapMax = 16 * 1024;

/** Reads what lies close together at once; annotations are mostly sorted by picture. */
async function itemsOf(source: Source, file: RandomFile, place: number, report: Report): Promise<Fields[]> {
  const [from, to] = [source.first[place] as number, source.first[place + 1] as number];
  const items: Fields[] = [];
  for (let i = from; i < to; ) {
    const start = source.starts.at(source.order[i] as number);
    let end = source.ends.at(source.order[i] as number);
    let next = i + 1;
    while (next < to && source.starts.at(source.order[next] as number) - end < gapMax) {
      end = source.ends.at(source.order[next++] as number);
    }
    const bytes = await file.read(start, end);
    for (; i < next; i++) {
      const index = source.order[i] as number;
      const text = textOf(bytes.subarray(source.starts.at(index) - start, source.ends.at(index) - start));
      const item = itemOf(text, source.path, `annotations[${index}]`, report);
      if (item) items.push(item);
    }
  }
  return items;
}

function imageBytes(
  { tree, images }: Listing,
  { path, split }: { path: string; split?: string },
  own: readonly Source[],
  report: Report,
) {
  const near = [
    ...(split ? [`images/${split}`, split, `images/${split}2017`, `${split}2017`] : [`images/${noSplit}`]),
    'images',
    ...own.map((source) => folderOf(source.path)),
  ];
  return bytesOf(tree, images.find(path, near), path, report);
}
