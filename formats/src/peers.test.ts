import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { formatNamed } from './all.ts';
import { writeDataset } from './convert.ts';
import { memoryFiles } from './files.ts';
import { areaOfMask, maskFromBitmap, maskOfPolygons } from './geometry/rle.ts';
import { encodePng } from './png.ts';
import type { Dataset, ImageRecord } from './record.ts';

const script = fileURLToPath(new URL('../peers/check.py', import.meta.url));

/** The Python with these modules: FOVEA_PEERS_PYTHON, else one on the path; undefined where none has them. */
const pythonWith = (modules: string): string | undefined =>
  [process.env.FOVEA_PEERS_PYTHON, 'python3'].find(
    (one) =>
      one !== undefined && spawnSync(one, ['-c', `import ${modules}`], { stdio: 'ignore' }).status === 0,
  );

const side = 20;
const mask = maskFromBitmap(
  Array.from({ length: side * side }, (_, i) => Number(i % 3 === 0 && i > 100)),
  side,
  side,
);
const ring = [2, 2, 15.5, 3, 12, 14];
const bytes = async function* () {
  yield encodePng({ width: side, height: side, pixels: new Uint8Array(side * side) });
};
const picture = (n: number, annotations: ImageRecord['annotations']): ImageRecord => ({
  id: String(n),
  path: `p${n}.png`,
  split: 'train',
  width: side,
  height: side,
  annotations,
  bytes,
});

const dataset: Dataset = {
  classes: [
    { name: 'car' },
    { name: 'tree' },
    { name: 'person', keypoints: ['head', 'hand'], skeleton: [[0, 1]] },
  ],
  async *records() {
    yield picture(1, [
      { id: '1', label: 'car', box: { x: 1, y: 2, width: 3, height: 4 }, attributes: { old: true } },
      { id: '2', label: 'tree', polygons: [ring] },
      { id: '3', label: 'tree', mask },
      {
        id: '4',
        label: 'person',
        keypoints: [
          { x: 1, y: 2, visibility: 2 },
          { x: 5, y: 6, visibility: 1 },
        ],
      },
      { id: '5', text: 'a car and a tree' },
    ]);
    yield picture(2, []);
    yield picture(3, [{ id: '6', label: 'car', box: { x: 0, y: 0, width: 20, height: 20 } }]);
  },
};

async function seenBy(kind: string, name: string, python: string) {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-peers-'));
  try {
    const files = memoryFiles();
    const format = formatNamed(name);
    if (!format) throw new Error(name);
    await writeDataset(dataset, format, files, { report: (problem) => expect(problem).toBeUndefined() });
    for (const [path, content] of files.files) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    return JSON.parse(
      execFileSync(python, [script, kind, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('pycocotools reads our COCO: boxes, outlines, masks to the pixel, keypoints, captions', async (context) => {
  const python = pythonWith('pycocotools');
  if (!python) return context.skip('no Python with pycocotools here; FOVEA_PEERS_PYTHON may name one');
  const areas = [areaOfMask(mask), areaOfMask(maskOfPolygons([ring], side, side))].sort((a, b) => a - b);
  expect(await seenBy('coco', 'coco', python)).toEqual({
    images: 3,
    annotations: 4,
    areas,
    rle: [areaOfMask(mask)],
    keypoints: [2],
    skeleton: [[[1, 2]]],
    captions: ['a car and a tree'],
  });
});

test.each([
  // Of several files about the same pictures it takes boxes beside everything, and no keypoints.
  ['coco', 'coco', { polygon: 1, mask: 1, caption: 1 }],
  ['datumaro', 'datumaro', { bbox: 2, polygon: 1, mask: 1, points: 1, caption: 1 }],
  ['voc', 'voc', { bbox: 4 }],
  ['cvat', 'cvat', { bbox: 2, polygon: 1 }],
  ['yolo', 'yolo-detect', { bbox: 4 }],
  ['open_images', 'open-images', { bbox: 4 }],
] as const)('Datumaro reads our %s', async (kind, name, least) => {
  const python = pythonWith('datumaro');
  if (!python) return;
  const seen = await seenBy(`dm-${kind}`, name, python);
  expect(seen.items).toBe(3);
  expect(seen.kinds).toMatchObject(least);
});

test("Label Studio's converter unpacks our brushes to the pixel", async (context) => {
  const python = pythonWith('label_studio_converter.brush');
  if (!python)
    return context.skip('no Python with label-studio-converter here; FOVEA_PEERS_PYTHON may name one');
  expect(await seenBy('label-studio', 'label-studio', python)).toEqual({
    tasks: 3,
    areas: [areaOfMask(mask)],
  });
});
