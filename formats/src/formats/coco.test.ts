import { expect, test } from 'vitest';
import { memoryFiles, utf8 } from '../files.ts';
import { listTree } from '../listing.ts';
import { problemLog } from '../problems.ts';
import { all, pngHead } from '../testing.ts';
import { coco } from './coco.ts';

const json = (value: unknown) => utf8(JSON.stringify(value));
const images = [{ id: 139, file_name: '000000000139.jpg', width: 10, height: 8, license: 2 }];

/** The folders and names of the official set: several files about the same pictures, the year in the names. */
test('instances, keypoints and captions of the official set come together, by picture and by id', async () => {
  const tree = memoryFiles();
  const person = { id: 1, name: 'person', supercategory: 'person' };
  const shape = {
    id: 5,
    image_id: 139,
    category_id: 1,
    iscrowd: 0,
    area: 11.5,
    bbox: [1, 1, 4, 4],
    segmentation: [[1, 1, 5, 1, 5, 5]],
  };
  const crowd = {
    id: 6,
    image_id: 139,
    category_id: 1,
    iscrowd: 1,
    area: 4,
    bbox: [0, 0, 1, 4],
    segmentation: { size: [8, 10], counts: [0, 4, 76] },
  };
  tree.files.set(
    'annotations/instances_val2017.json',
    json({ annotations: [shape, crowd], images, categories: [person] }),
  );
  tree.files.set(
    'annotations/person_keypoints_val2017.json',
    json({
      images,
      categories: [{ ...person, keypoints: ['nose', 'eye'], skeleton: [[1, 2]] }],
      annotations: [{ ...shape, num_keypoints: 1, keypoints: [3, 3, 2, 0, 0, 0] }],
    }),
  );
  tree.files.set(
    'annotations/captions_val2017.json',
    json({ images, annotations: [{ id: 9, image_id: 139, caption: 'somebody' }] }),
  );
  tree.files.set('val2017/000000000139.jpg', pngHead(10, 8));
  const log = problemLog();
  const dataset = await coco.read(await listTree(tree, log.report), { report: log.report });
  const [record, ...others] = await all(dataset.records());
  expect(others).toEqual([]);
  expect(record).toMatchObject({ id: '139', path: '000000000139.jpg', split: 'val', width: 10, height: 8 });
  expect(record?.bytes).toBeDefined();
  expect(record?.annotations.map(({ id }) => id).sort()).toEqual(['5', '6', '9']);
  expect(record?.annotations.find(({ id }) => id === '5')).toMatchObject({
    label: 'person',
    area: 11.5,
    polygons: [[1, 1, 5, 1, 5, 5]],
    keypoints: [
      { x: 3, y: 3, visibility: 2 },
      { x: 0, y: 0, visibility: 0 },
    ],
  });
  expect(record?.annotations.find(({ id }) => id === '6')).toMatchObject({
    crowd: true,
    mask: { width: 10, height: 8, counts: [0, 4, 76] },
  });
  expect(dataset.classes).toEqual([
    { name: 'person', supercategory: 'person', keypoints: ['nose', 'eye'], skeleton: [[0, 1]] },
  ]);
  expect(log.kept).toEqual([]);
});
