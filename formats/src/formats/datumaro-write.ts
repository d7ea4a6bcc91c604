import { type FileSink, type Spool, utf8 } from '../files.ts';
import type { WriteContext } from '../format.ts';
import { packCounts } from '../geometry/rle.ts';
import { numberer } from '../numbers.ts';
import { joinPath, noSplit, stemOf, uniquePaths } from '../paths.ts';
import type { Annotation, ClassInfo, Dataset, ImageRecord } from '../record.ts';

/** A file for each split; items wait in spools, since the categories above them are known at the end. */
export async function writeDatumaro(
  dataset: Dataset,
  sink: FileSink,
  { withImages, report }: WriteContext,
): Promise<void> {
  const classes = new Map(dataset.classes.map((info, i) => [info.name, { number: i, info }]));
  const numberOfClass = (name: string) => {
    if (!classes.has(name)) classes.set(name, { number: classes.size, info: { name } });
    return classes.get(name)?.number as number;
  };
  const parts = new Map<string, { spool: Spool; count: number }>();
  const annotationNumber = numberer();
  const unique = uniquePaths();
  try {
    for await (const record of dataset.records()) {
      const split = record.split ?? noSplit;
      const wanted = joinPath('images', split, record.path);
      const path = unique(wanted);
      if (path !== wanted)
        report({
          severity: 'warning',
          code: 'name-clash',
          path: wanted,
          message: `is written as ${path}, since another picture has its name`,
        });
      const part = parts.get(split) ?? { spool: sink.spool(), count: 0 };
      parts.set(split, part);
      const name = path.split('/').slice(2).join('/');
      const annotations = record.annotations.map((one, i) => {
        const number = annotationNumber(one.id ?? `${record.id ?? name}#${i}`);
        return showAnnotation(one, number, one.label === undefined ? null : numberOfClass(one.label));
      });
      const item = JSON.stringify(showItem(record, name, annotations));
      await part.spool.write(utf8(part.count++ === 0 ? item : `,\n${item}`));
      if (withImages && record.bytes) await sink.add(path, record.bytes());
    }
    if (parts.size === 0) parts.set(noSplit, { spool: sink.spool(), count: 0 });
    const shown = showCategories([...classes.values()].map(({ info }) => info));
    for (const [split, { spool }] of parts)
      await sink.add(`annotations/${split}.json`, documentOf(shown, spool.read()));
  } finally {
    for (const { spool } of parts.values()) await spool.close();
  }
}

async function* documentOf(categories: object, items: AsyncIterable<Uint8Array>) {
  yield utf8(
    `{"dm_format_version":"1.0","media_type":2,"infos":{},\n"categories":${JSON.stringify(categories)},\n"items":[\n`,
  );
  yield* items;
  yield utf8('\n]}\n');
}

function showCategories(classes: readonly ClassInfo[]) {
  const posed = classes.flatMap(({ keypoints, skeleton }, label_id) =>
    keypoints
      ? [{ label_id, labels: keypoints, joints: (skeleton ?? []).map(([from, to]) => [from + 1, to + 1]) }]
      : [],
  );
  return {
    label: {
      labels: classes.map(({ name, supercategory }) => ({
        name,
        parent: supercategory ?? '',
        attributes: [],
      })),
      label_groups: [],
      attributes: [],
    },
    ...(posed.length > 0 ? { points: { items: posed, attributes: [] } } : {}),
  };
}

/** Datumaro calls an item by its path without the ending; an id of another kind stays among its attributes. */
function showItem(record: ImageRecord, name: string, annotations: readonly object[]) {
  const id = stemOf(name);
  const { width, height } = record;
  return {
    id,
    annotations,
    attr: {
      ...record.attributes,
      ...(record.frame === undefined ? {} : { frame: record.frame }),
      ...(record.id === undefined || record.id === id ? {} : { source_id: record.id }),
    },
    image: { path: name, ...(width && height ? { size: [height, width] } : {}) },
  };
}

function showAnnotation(one: Annotation, id: number, label: number | null) {
  const attributes = {
    ...one.attributes,
    ...(one.score === undefined ? {} : { score: one.score }),
    ...(one.crowd ? { is_crowd: true } : {}),
    ...(one.track === undefined ? {} : { track_id: one.track }),
    ...(one.id === undefined || one.id === String(id) ? {} : { source_id: one.id }),
  };
  return { id, attributes, group: 0, label_id: label, ...showShape(one) };
}

function showShape({ keypoints, mask, polygons, box, point, text }: Annotation) {
  if (keypoints)
    return {
      type: 'points',
      points: keypoints.flatMap(({ x, y }) => [x, y]),
      visibility: keypoints.map(({ visibility }) => visibility),
      z_order: 0,
    };
  if (mask)
    return {
      type: 'mask',
      rle: { counts: packCounts(mask.counts), size: [mask.height, mask.width] },
      z_order: 0,
    };
  if (polygons) return { type: 'polygon', points: polygons[0], z_order: 0 };
  if (box?.rotation) {
    const { x, y, width, height, rotation } = box;
    return {
      type: 'rotated_bbox',
      rotated_bbox: [x + width / 2, y + height / 2, width, height, rotation],
      z_order: 0,
    };
  }
  if (box) return { type: 'bbox', bbox: [box.x, box.y, box.width, box.height], z_order: 0 };
  if (point) return { type: 'points', points: [point.x, point.y], visibility: [2], z_order: 0 };
  return text === undefined ? { type: 'label' } : { type: 'caption', caption: text };
}
