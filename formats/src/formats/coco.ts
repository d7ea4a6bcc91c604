import { type Fields, fieldsOf, get } from '../fields.ts';
import { type FileSink, type RandomFile, type Spool, textOf, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { NumberList, numberer } from '../numbers.ts';
import {
  baseOf,
  folderOf,
  isUsualSplit,
  joinPath,
  noSplit,
  splitNamed,
  splitOfName,
  stemOf,
  uniquePaths,
} from '../paths.ts';
import { type Report, reportBroken } from '../problems.ts';
import type { Annotation, ClassInfo, Dataset, ImageRecord } from '../record.ts';
import { JsonBroken, parseJson, scanJson } from '../text/json-scan.ts';
import { bytesOf } from '../tree-bytes.ts';
import {
  type CocoKind,
  kindOf,
  readAnnotation,
  readCategory,
  readImage,
  showAnnotation,
  showCategory,
} from './coco-items.ts';

/**
 * COCO: one JSON file per split and kind of annotation (instances, person_keypoints, captions; labels as Datumaro
 * writes them). Reading remembers only where each annotation lies in its file; writing keeps nothing but ids.
 */
export const coco: Format = {
  id: 'coco',
  title: 'COCO JSON',
  holds: {
    box: true,
    rotation: true,
    polygon: true,
    mask: true,
    keypoints: true,
    'hidden-keypoints': true,
    text: true,
    'image-label': true,
    'several-labels': true,
    attributes: true,
    'image-attributes': true,
    score: true,
    crowd: true,
    area: true,
    track: true,
    frame: true,
    split: true,
    'other-splits': true,
    'empty-images': true,
    'image-ids': true,
    'annotation-ids': true,
    'image-size': true,
    'several-shapes': true,
    pieces: true,
  },
  detect,
  read,
  write,
};

const jsonPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.json$/i.test(path) && !/(^|\/)\./.test(path));

async function detect(listing: Listing): Promise<number> {
  for (const path of jsonPaths(listing).slice(0, 5)) {
    if (await looksLikeCoco(listing, path)) return 0.95;
  }
  return 0;
}

/** A root object with a list of images or annotations, told from the head of the file. */
async function looksLikeCoco({ tree }: Listing, path: string): Promise<boolean> {
  try {
    for await (const { key, inArray, bytes } of scanJson(headOf(tree.stream(path), 4 * 2 ** 20))) {
      if (!inArray) continue;
      const item = fieldsOf(parseJson(textOf(bytes)).value);
      if (key === 'images' && get(item, 'file_name') !== undefined) return true;
      if (key === 'annotations' && get(item, 'image_id') !== undefined) return true;
    }
  } catch {
    // A head that breaks off is no verdict.
  }
  return false;
}

async function* headOf(chunks: AsyncIterable<Uint8Array>, bytesMax: number) {
  let size = 0;
  for await (const chunk of chunks) {
    yield chunk;
    size += chunk.length;
    if (size >= bytesMax) return;
  }
}

// Reading ---------------------------------------------------------------------------------------------------------

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

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
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
    records: () => records(listing, sources, pictures, report),
  };
}

/** `instances_train2017.json`, `train/_annotations.coco.json`, `train.json`; anything else names no split. */
export function splitOf(path: string): string | undefined {
  const stem = stemOf(baseOf(path));
  const named = /^(?:instances|person_keypoints|keypoints|captions|labels|image_info)_(.+)$/.exec(stem);
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
): AsyncGenerator<ImageRecord> {
  const opened = new Map<Source, RandomFile>();
  try {
    for (const source of sources) opened.set(source, readAhead(await listing.tree.open(source.path)));
    for (const [split, { list }] of pictures) {
      const own = sources.filter((source) => (source.split ?? '') === split);
      for (const [place, picture] of list.entries()) {
        const annotations: Annotation[] = [];
        for (const source of own) {
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

// Writing ---------------------------------------------------------------------------------------------------------

interface Part {
  readonly images: Items;
  readonly kinds: Map<CocoKind, Items>;
}

async function write(dataset: Dataset, sink: FileSink, context: WriteContext): Promise<void> {
  const parts = new Map<string, Part>();
  const categories = new Map(dataset.classes.map((info, i) => [info.name, { number: i + 1, info }]));
  const categoryOf = (name: string, keypoints: Annotation['keypoints']) => {
    const known = categories.get(name);
    if (known && (!keypoints || known.info.keypoints)) return known;
    const names = keypoints?.map((_, i) => `point ${i + 1}`);
    const info: ClassInfo = { ...known?.info, name, ...(names ? { keypoints: names } : {}) };
    const added = { number: known?.number ?? categories.size + 1, info };
    categories.set(name, added);
    return added;
  };
  const [imageNumber, annotationNumber] = [numberer(), numberer()];
  const unique = uniquePaths();
  const opened: Items[] = [];
  const openItems = () => {
    const items = new Items(sink.spool());
    opened.push(items);
    return items;
  };
  try {
    for await (const record of dataset.records()) {
      const split = record.split ?? noSplit;
      const part = parts.get(split) ?? { images: openItems(), kinds: new Map<CocoKind, Items>() };
      parts.set(split, part);
      const path = unique(joinPath('images', split, record.path));
      const name = path.slice(`images/${split}/`.length);
      const number = imageNumber(record.id ?? `${split}/${record.path}`);
      await part.images.add(imageItem(record, number, name));
      for (const [index, one] of record.annotations.entries()) {
        const kind = kindOf(one);
        const items = part.kinds.get(kind) ?? openItems();
        part.kinds.set(kind, items);
        const id = annotationNumber(one.id ?? `${record.id ?? name}#${index}`);
        const category = one.label === undefined ? undefined : categoryOf(one.label, one.keypoints).number;
        await items.add(showAnnotation(one, record, { id, imageId: number, category }));
      }
      if (context.withImages && record.bytes) await sink.add(path, record.bytes());
    }
    if (parts.size === 0) parts.set(noSplit, { images: openItems(), kinds: new Map() });
    const shown = [...categories.values()].map(({ number, info }) => showCategory(number, info));
    for (const [split, { images, kinds }] of parts) {
      if (kinds.size === 0) kinds.set('instances', openItems());
      for (const [kind, items] of kinds) {
        const chunks = fileOf(images, items, kind === 'captions' ? undefined : shown);
        await sink.add(`annotations/${kind}_${split}.json`, chunks);
      }
    }
  } finally {
    for (const items of opened) await items.close();
  }
}

function imageItem(record: ImageRecord, number: number, name: string) {
  return {
    id: number,
    width: record.width ?? 0,
    height: record.height ?? 0,
    file_name: name,
    ...(record.url === undefined ? {} : { coco_url: record.url }),
    // Readers that know only the standard fields pass over these.
    ...(record.id !== undefined && record.id !== String(number) ? { source_id: record.id } : {}),
    ...(record.frame === undefined ? {} : { frame: record.frame }),
    ...(record.attributes ? { attributes: record.attributes } : {}),
  };
}

/** Items of one list of the file, kept aside until all are known. */
class Items {
  private readonly spool: Spool;
  private isEmpty = true;

  constructor(spool: Spool) {
    this.spool = spool;
  }

  async add(item: object): Promise<void> {
    await this.spool.write(utf8(`${this.isEmpty ? '' : ',\n'}${JSON.stringify(item)}`));
    this.isEmpty = false;
  }

  read = () => this.spool.read();
  close = () => this.spool.close();
}

async function* fileOf(images: Items, annotations: Items, categories: readonly object[] | undefined) {
  yield utf8('{"info":{"description":"exported from Fovea"},"licenses":[],\n');
  // Where there are categories, the official reader asks every annotation for one; captions have none.
  if (categories) yield utf8(`"categories":${JSON.stringify(categories)},\n`);
  yield utf8('"images":[\n');
  yield* images.read();
  yield utf8('\n],\n"annotations":[\n');
  yield* annotations.read();
  yield utf8('\n]}\n');
}
