import { formats } from './all.ts';
import type { FileSink } from './files.ts';
import type { Format } from './format.ts';
import { fit, type Holds, isUprightBox, type Loss } from './holds.ts';
import { sizeOfStream } from './image-size.ts';
import type { Report } from './problems.ts';
import { type Annotation, type Dataset, type ImageRecord, isPlaced } from './record.ts';

export interface Counts {
  images: number;
  emptyImages: number;
  /** Named by the annotations, but their files are not there. */
  missingImages: number;
  annotations: number;
  byKind: Record<string, number>;
  /** How many annotations name each class; classes that nothing names have 0. */
  byClass: Record<string, number>;
  bySplit: Record<string, number>;
}

/** What a set holds, and what each format would not keep of it, before anything is written. */
export interface Inspection extends Counts {
  losses: Partial<Record<string, Partial<Record<Loss, number>>>>;
}

/** What a set may be written into: a format, or whatever else holds it. */
export interface Holder {
  readonly id: string;
  readonly holds: Holds;
}

/** Walks a set once. */
export async function inspect(dataset: Dataset, targets: readonly Holder[] = formats): Promise<Inspection> {
  const counts = new Tally(dataset);
  const losses: Record<string, Map<Loss, number>> = {};
  for (const { id } of targets) losses[id] = new Map();
  const lostOf = openLossesOfBoxes();
  const lostOfPicture = openLossesOfPictures(targets);
  for await (const record of dataset.records()) {
    counts.add(record);
    const { told, others } = boxesTold(record);
    const lost = lostOfPicture(told);
    for (const [i, target] of targets.entries()) {
      const map = losses[target.id] as Map<Loss, number>;
      for (const loss of lost[i] as Loss[]) map.set(loss, (map.get(loss) ?? 0) + 1);
      for (const [sort, { one, count }] of others)
        for (const loss of lostOf(target, sort, one)) map.set(loss, (map.get(loss) ?? 0) + count);
    }
  }
  const shown = Object.entries(losses).map(([id, map]) => [id, Object.fromEntries(map)]);
  return { ...counts.shown(), losses: Object.fromEntries(shown) };
}

/**
 * A record with one box of each sort, and how many more there are of it. What is lost of a box that is nothing but
 * that depends on what is known of it, not on where it lies, so that most of a set is looked at once.
 */
function boxesTold(record: ImageRecord) {
  const others = new Map<string, { one: Annotation; count: number }>();
  const annotations = record.annotations.filter((one) => {
    const sort = sortOfBox(one);
    if (sort === undefined) return true;
    const known = others.get(sort);
    if (known) known.count += 1;
    else others.set(sort, { one, count: 0 });
    return !known;
  });
  return {
    told: annotations.length < record.annotations.length ? { ...record, annotations } : record,
    others,
  };
}

/** @returns undefined for what has more than an upright box */
function sortOfBox(one: Annotation): string | undefined {
  if (!isUprightBox(one)) return undefined;
  const { id, label, area, score, track } = one;
  const known = [id, label, area, score, track].map((value) => (value === undefined ? '-' : '+'));
  return `${known.join('')}${one.crowd ? '+' : '-'}`;
}

/** What each format loses of a picture; remembered for those with nothing but boxes, which come by the thousand. */
function openLossesOfPictures(targets: readonly Holder[]) {
  const known = new Map<string, readonly (readonly Loss[])[]>();
  return (told: ImageRecord): readonly (readonly Loss[])[] => {
    const sort = sortOfPicture(told);
    const found = sort === undefined ? undefined : known.get(sort);
    if (found) return found;
    const lost = targets.map(({ holds }) => {
      const list: Loss[] = [];
      fit(told, holds, (loss) => list.push(loss));
      return list;
    });
    if (sort !== undefined && known.size < sortsMax) known.set(sort, lost);
    return lost;
  };
}

/** A set may name any number of splits. */
const sortsMax = 10_000;

/** @returns undefined for a picture of which something else is said than boxes */
function sortOfPicture({ id, split, attributes, frame, width, height, annotations }: ImageRecord) {
  const boxes = annotations.map(sortOfBox);
  if (boxes.includes(undefined)) return undefined;
  const known = [id, attributes, frame, width, height].map((value) => (value === undefined ? '-' : '+'));
  return `${known.join('')} ${boxes.join(' ')} ${split ?? ''}`;
}

/** What a format loses of each box of a sort, remembered. That a picture is left without any is told of pictures. */
function openLossesOfBoxes() {
  const known = new Map<string, readonly Loss[]>();
  return ({ id, holds }: Holder, sort: string, one: Annotation): readonly Loss[] => {
    const found = known.get(`${id} ${sort}`);
    if (found) return found;
    const lost: Loss[] = [];
    fit({ path: '', annotations: [one] }, holds, (loss) => {
      if (loss !== 'empty-images lost') lost.push(loss);
    });
    known.set(`${id} ${sort}`, lost);
    return lost;
  };
}

const countInto = (map: Map<Loss, number>) => (loss: Loss) => void map.set(loss, (map.get(loss) ?? 0) + 1);

/** Counts of records as they pass by. */
export class Tally {
  private readonly byClass: Map<string, number>;
  private readonly byKind = new Map<string, number>();
  private readonly bySplit = new Map<string, number>();
  private images = 0;
  private emptyImages = 0;
  private missingImages = 0;
  private annotations = 0;

  constructor(dataset: Pick<Dataset, 'classes'>) {
    this.byClass = new Map(dataset.classes.map(({ name }) => [name, 0]));
  }

  add(record: ImageRecord): void {
    this.images += 1;
    if (record.annotations.length === 0) this.emptyImages += 1;
    if (!record.bytes) this.missingImages += 1;
    bump(this.bySplit, record.split ?? '');
    for (const one of record.annotations) {
      this.annotations += 1;
      if (one.label !== undefined) bump(this.byClass, one.label);
      for (const kind of kindsOf(one)) bump(this.byKind, kind);
    }
  }

  shown(): Counts {
    return {
      images: this.images,
      emptyImages: this.emptyImages,
      missingImages: this.missingImages,
      annotations: this.annotations,
      byKind: Object.fromEntries(this.byKind),
      byClass: Object.fromEntries(this.byClass),
      bySplit: Object.fromEntries(this.bySplit),
    };
  }
}

const bump = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);

function kindsOf(one: Annotation): string[] {
  if (!isPlaced(one)) return [one.text === undefined ? 'label' : 'text'];
  return [
    one.box ? (one.box.rotation ? 'rotated box' : 'box') : '',
    one.polygons ? 'polygon' : '',
    one.mask ? 'mask' : '',
    one.keypoints ? 'keypoints' : '',
    one.point ? 'point' : '',
  ].filter((kind) => kind !== '');
}

/** With its sides, read from the head of the file where nobody said them: half of the formats count in parts of them. */
export async function sized(record: ImageRecord): Promise<ImageRecord> {
  if ((record.width && record.height) || !record.bytes) return record;
  const size = await sizeOfStream(record.bytes());
  return size ? { ...record, ...size } : record;
}

export interface ConvertOptions {
  readonly report: Report;
  /** Default true. */
  readonly withImages?: boolean;
  /** Called with the number of records written so far. */
  readonly onProgress?: (records: number) => void;
}

/** Writes a set in a format, streaming. Returns how often what was not kept. */
export async function writeDataset(
  dataset: Dataset,
  format: Format,
  sink: FileSink,
  { report, withImages = true, onProgress }: ConvertOptions,
): Promise<{ counts: Counts; losses: Partial<Record<Loss, number>> }> {
  const losses = new Map<Loss, number>();
  const tally = new Tally(dataset);
  const fitted: Dataset = {
    classes: dataset.classes,
    async *records() {
      let done = 0;
      for await (const record of dataset.records()) {
        const kept = fit(await sized(record), format.holds, countInto(losses));
        if (kept) {
          tally.add(kept);
          yield kept;
        }
        onProgress?.(++done);
      }
    },
  };
  await format.write(fitted, sink, { report, withImages });
  return { counts: tally.shown(), losses: Object.fromEntries(losses) };
}
