import { type FileSink, type Spool, utf8 } from '../files.ts';
import type { WriteContext } from '../format.ts';
import { cropMask, rowRuns } from '../geometry/crop.ts';
import { joinPath, noSplit, uniquePaths } from '../paths.ts';
import type { Annotation, Attributes, ClassInfo, Dataset, ImageRecord, Mask, Ring } from '../record.ts';
import { leaf, xml } from '../text/xml.ts';
import { pairs } from './cvat-read.ts';

/** One file per part of the set, called like it: CVAT reads all there are, Datumaro knows parts by files. */
export async function writeCvat(
  dataset: Dataset,
  sink: FileSink,
  { withImages, report }: WriteContext,
): Promise<void> {
  const classes = new Map(dataset.classes.map((info) => [info.name, info]));
  const parts = new Map<string, { images: Spool; count: number }>();
  const unique = uniquePaths();
  let id = 0;
  try {
    for await (const record of dataset.records()) {
      const wanted = joinPath('images', record.split ?? noSplit, record.path);
      const path = unique(wanted);
      if (path !== wanted)
        report({
          severity: 'warning',
          code: 'name-clash',
          path: wanted,
          message: `is written as ${path}, since another picture has its name`,
        });
      for (const one of record.annotations) noteClass(classes, one);
      const name = path.split('/').slice(2).join('/');
      const part = parts.get(record.split ?? '') ?? { images: sink.spool(), count: 0 };
      parts.set(record.split ?? '', part);
      part.count += 1;
      await part.images.write(utf8(`${showImage(record, name, id++, classes)}\n`));
      if (withImages && record.bytes) await sink.add(path, record.bytes());
    }
    if (parts.size === 0) parts.set('', { images: sink.spool(), count: 0 });
    for (const [split, { images, count }] of parts) {
      await sink.add(
        `${split || 'annotations'}.xml`,
        documentOf([...classes.values()], count, images.read()),
      );
    }
  } finally {
    for (const { images } of parts.values()) await images.close();
  }
}

function noteClass(classes: Map<string, ClassInfo>, { label, keypoints }: Annotation): void {
  if (label === undefined) return;
  const known = classes.get(label);
  if (known && (!keypoints || known.keypoints)) return;
  const names = keypoints?.map((_, i) => `point ${i + 1}`);
  classes.set(label, { ...known, name: label, ...(names ? { keypoints: names } : {}) });
}

async function* documentOf(classes: readonly ClassInfo[], count: number, images: AsyncIterable<Uint8Array>) {
  const labels = classes.flatMap(showClass).join('\n');
  yield utf8(
    `<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task>${leaf('size', count)}${leaf('mode', 'annotation')}<labels>\n${labels}\n</labels></task></meta>\n`,
  );
  yield* images;
  yield utf8('</annotations>\n');
}

function showClass({ name, keypoints, skeleton = [] }: ClassInfo): string[] {
  if (!keypoints)
    return [xml('label', {}, leaf('name', name), leaf('type', 'any'), '<attributes></attributes>')];
  return [
    xml(
      'label',
      {},
      leaf('name', name),
      leaf('type', 'skeleton'),
      '<attributes></attributes>',
      leaf('svg', drawing(keypoints, skeleton)),
    ),
    ...keypoints.map((part) =>
      xml(
        'label',
        {},
        leaf('name', part),
        leaf('type', 'points'),
        '<attributes></attributes>',
        leaf('parent', name),
      ),
    ),
  ];
}

/** CVAT wants to see a skeleton: its nodes on a circle. */
function drawing(keypoints: readonly string[], skeleton: readonly (readonly [number, number])[]): string {
  const place = (i: number) => {
    const angle = (2 * Math.PI * i) / keypoints.length;
    return [50 + 40 * Math.sin(angle), 50 - 40 * Math.cos(angle)].map((value) => value.toFixed(2)) as [
      string,
      string,
    ];
  };
  const lines = skeleton.map(([from, to]) => {
    const [[x1, y1], [x2, y2]] = [place(from), place(to)];
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" data-type="edge" data-node-from="${from + 1}" data-node-to="${to + 1}"></line>`;
  });
  const nodes = keypoints.map((name, i) => {
    const [cx, cy] = place(i);
    return xml('circle', {
      r: 1.5,
      cx,
      cy,
      'data-type': 'element node',
      'data-element-id': i + 1,
      'data-node-id': i + 1,
      'data-label-name': name,
    });
  });
  return [...lines, ...nodes].join('');
}

function showImage(
  record: ImageRecord,
  name: string,
  id: number,
  classes: ReadonlyMap<string, ClassInfo>,
): string {
  const { width, height, split } = record;
  return xml(
    'image',
    { id, name, subset: split, width, height },
    ...record.annotations.map((one) => `\n${showShape(one, classes)}`),
    record.annotations.length > 0 ? '\n' : '',
  );
}

function showShape(one: Annotation, classes: ReadonlyMap<string, ClassInfo>): string {
  const { occluded, ...others } = one.attributes ?? {};
  const rest = Object.entries({
    ...others,
    ...(occluded === undefined || occluded === true ? {} : { occluded }),
  });
  const inside = rest
    .map(([name, value]) => `<attribute name="${escapeName(name)}">${textOfValue(value)}</attribute>`)
    .join('');
  const common = {
    label: one.label ?? 'object',
    source: 'manual',
    occluded: occluded === true ? 1 : 0,
    z_order: 0,
  };
  if (one.keypoints)
    return xml(
      'skeleton',
      { label: common.label, source: 'manual', z_order: 0 },
      inside,
      skeletonParts(one, classes),
    );
  if (one.mask) return maskElement(one.mask, common, inside);
  if (one.polygons) return xml('polygon', { ...common, points: pointsText(one.polygons[0] ?? []) }, inside);
  if (one.box) {
    const { x, y, width, height, rotation } = one.box;
    return xml('box', { ...common, xtl: x, ytl: y, xbr: x + width, ybr: y + height, rotation }, inside);
  }
  if (one.point) return xml('points', { ...common, points: `${one.point.x},${one.point.y}` }, inside);
  return xml(
    'tag',
    { label: common.label, source: 'manual' },
    ...(occluded === true ? [`<attribute name="occluded">true</attribute>`] : []),
    inside,
  );
}

const escapeName = (name: string) => leaf('x', name).slice(3, -4);
const textOfValue = (value: Attributes[string] | undefined) => leaf('x', String(value)).slice(3, -4);

function maskElement(mask: Mask, common: Readonly<Record<string, string | number>>, inside: string): string {
  const crop = cropMask(mask);
  if (!crop) return '';
  const { x, y, width, height, pixels } = crop;
  return xml('mask', { ...common, rle: rowRuns(pixels).join(', '), left: x, top: y, width, height }, inside);
}

function skeletonParts(
  { label = '', keypoints = [], attributes }: Annotation,
  classes: ReadonlyMap<string, ClassInfo>,
): string {
  const names = classes.get(label)?.keypoints;
  const occluded = attributes?.['occluded'] === true ? '<attribute name="occluded">true</attribute>' : '';
  return (
    occluded +
    keypoints
      .map(({ x, y, visibility }, i) =>
        xml('points', {
          label: names?.[i] ?? `point ${i + 1}`,
          source: 'manual',
          outside: visibility === 0 ? 1 : 0,
          occluded: visibility === 1 ? 1 : 0,
          points: `${x},${y}`,
        }),
      )
      .join('')
  );
}

const pointsText = (ring: Ring): string =>
  pairs(ring)
    .map((pair) => pair.join(','))
    .join(';');
