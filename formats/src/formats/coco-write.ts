import { type FileSink, type Spool, utf8 } from '../files.ts';
import type { WriteContext } from '../format.ts';
import { numberer } from '../numbers.ts';
import { joinPath, noSplit, uniquePaths } from '../paths.ts';
import type { Annotation, ClassInfo, Dataset, ImageRecord } from '../record.ts';
import { type CocoKind, kindOf, showAnnotation, showCategory } from './coco-items.ts';

interface Part {
  readonly images: Items;
  readonly kinds: Map<CocoKind, Items>;
}

export async function writeCoco(dataset: Dataset, sink: FileSink, context: WriteContext): Promise<void> {
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
