import fc from 'fast-check';
import { utf8 } from './files.ts';
import { maskFromBitmap } from './geometry/rle.ts';
import {
  type Annotation,
  type ClassInfo,
  compact,
  type Dataset,
  type ImageRecord,
  isPlaced,
} from './record.ts';

/** Random sets for the round-trip tests. */

export const classes: readonly ClassInfo[] = [
  { name: 'car', supercategory: 'vehicle' },
  {
    name: 'person',
    keypoints: ['nose', 'left hand', 'right hand'],
    skeleton: [
      [0, 1],
      [0, 2],
    ],
  },
  { name: 'Ä & <b>, "q"' },
  { name: 'never used' },
];

/** The head of a PNG of the given sides: all that tells them. */
export function pngHead(width: number, height: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]);
  bytes.set(utf8('IHDR'), 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  view.setUint32(32, salt);
  return bytes;
}

const quarters = (max: number) => fc.integer({ min: 0, max: max * 4 }).map((n) => n / 4);
const label = fc.constantFrom('car', 'Ä & <b>, "q"');
const attributes = fc.option(
  fc.dictionary(
    fc.constantFrom('colour', 'truncated', 'count', 'note'),
    fc.oneof(
      fc.constantFrom('red', 'a, "b"; <c>', 'line\nbreak'),
      fc.boolean(),
      fc.integer({ min: -5, max: 500 }),
    ),
    { minKeys: 1 },
  ),
  { nil: undefined },
);

function shapes(width: number, height: number) {
  const xy = fc.tuple(quarters(width), quarters(height));
  const box = fc
    .tuple(quarters(width - 2), quarters(height - 2), quarters(2), quarters(2))
    .map(([x, y, w, h]) => ({ x, y, width: w / 4 + 1, height: h / 4 + 1 }));
  const ring = fc.array(xy, { minLength: 3, maxLength: 6 }).map((points) => points.flat());
  const mask = fc
    .array(fc.constantFrom(0, 1), { minLength: width * height, maxLength: width * height })
    .filter((pixels) => pixels.includes(1))
    .map((pixels) => maskFromBitmap(pixels, width, height));
  const keypoint = fc
    .tuple(xy, fc.constantFrom(0 as const, 1 as const, 2 as const))
    .map(([[x, y], visibility]) => (visibility === 0 ? { x: 0, y: 0, visibility } : { x, y, visibility }));
  const keypoints = fc
    .tuple(keypoint, keypoint, keypoint)
    .filter((points) => points.some(({ visibility }) => visibility > 0));
  return fc.oneof(
    fc.record({ label, box }),
    fc.record({
      label,
      box: fc.tuple(box, fc.integer({ min: 1, max: 359 })).map(([b, rotation]) => ({ ...b, rotation })),
    }),
    fc.record({ label, polygons: fc.array(ring, { minLength: 1, maxLength: 2 }) }),
    fc.record({ label, mask }),
    fc.record({ label: fc.constant('person'), keypoints, box }),
    fc.record({ label: fc.constant('person'), keypoints }),
    fc.record({ label, point: xy.map(([x, y]) => ({ x, y })) }),
    fc.record({ label }),
    fc.record({ text: fc.constantFrom('a dog, on grass', 'two\nlines', 'Ünï "quoted"') }),
    fc.record({ box }),
  );
}

const more = fc.record({
  attributes,
  score: fc.option(
    fc.integer({ min: 0, max: 100 }).map((n) => n / 100),
    { nil: undefined },
  ),
  crowd: fc.option(fc.constant(true), { nil: undefined }),
  track: fc.option(fc.constantFrom('7', 'bus-1'), { nil: undefined }),
});

const ids = fc.oneof(
  fc.integer({ min: 1, max: 1e9 }).map(String),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/),
);

const image = fc
  .record({ width: fc.integer({ min: 4, max: 24 }), height: fc.integer({ min: 4, max: 24 }) })
  .chain(({ width, height }) =>
    fc
      .record({
        id: ids,
        path: fc.tuple(
          fc.constantFrom('', 'a/', 'a b/ü/'),
          fc.stringMatching(/^[a-z0-9_ -]{1,8}[a-z]$/).filter((name) => name.trim() === name),
          fc.constantFrom('.png', '.jpg', '.JPEG'),
        ),
        split: fc.constantFrom(undefined, 'train', 'val', 'test', 'holdout'),
        attributes,
        annotations: fc.uniqueArray(
          fc.tuple(ids, shapes(width, height), more).map(([id, shape, rest]): Annotation => {
            const isPlace = Object.keys(shape).some((key) => key !== 'label' && key !== 'text');
            return compact<Annotation>({
              id,
              ...shape,
              ...(isPlace ? rest : { attributes: rest.attributes }),
            }) as Annotation;
          }),
          { maxLength: 5, selector: ({ id }) => id },
        ),
      })
      .map(
        ({ path, ...rest }): ImageRecord =>
          compact<ImageRecord>({ ...rest, path: path.join(''), width, height }) as ImageRecord,
      ),
  );

/** Records with ids, names and file contents of their own. */
export const datasets: fc.Arbitrary<Dataset> = fc
  .uniqueArray(image, {
    maxLength: 6,
    // Also on disks that do not tell upper case from lower; the stem alone must do, annotation files go by it.
    comparator: (a, b) => a.id === b.id || stem(a.path) === stem(b.path),
  })
  .map((records) => {
    const used = new Set<string>();
    const unique = records.map((record, i) => ({
      ...record,
      annotations: onceEach(record.annotations, used),
      bytes: async function* () {
        yield pngHead(record.width as number, record.height as number, i);
      },
    }));
    return {
      classes,
      async *records() {
        yield* unique;
      },
    };
  });

/** Ids are unique in the set; a picture has a label for the whole of it once. */
function onceEach(annotations: readonly Annotation[], used: Set<string>): Annotation[] {
  const labels = new Set<string>();
  return annotations.filter((one) => {
    const id = one.id as string;
    if (used.has(id)) return false;
    used.add(id);
    if (isPlaced(one) || one.label === undefined) return true;
    const isNew = !labels.has(one.label);
    labels.add(one.label);
    return isNew;
  });
}

const stem = (path: string) =>
  path
    .toLowerCase()
    .replace(/\.[a-z]+$/, '')
    .replace(/.*\//, '');

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
