import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { imagesOfFolder, ownImages } from './lib/demo-images.mjs';
import { scoreAnswers, table } from './lib/demo-report.mjs';

function folderWith(paths: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-demo-'));
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  return folder;
}

test('precision counts what was told, recall what is true', () => {
  const { accuracy, rows } = scoreAnswers([
    { truth: 'cat', told: 'cat' },
    { truth: 'cat', told: 'dog' },
    { truth: 'dog', told: 'dog' },
    { truth: 'dog', told: 'dog' },
  ]);
  expect(accuracy).toBe(0.75);
  expect(rows).toEqual([
    { concept: 'cat', images: 2, precision: 1, recall: 0.5 },
    { concept: 'dog', images: 2, precision: 2 / 3, recall: 1 },
  ]);
});

test('the table keeps its columns straight', () => {
  expect(
    table([
      ['a', 'b'],
      ['long', '1'],
    ]),
  ).toBe('  a      b\n  ────────\n  long   1');
});

test('one sub-folder is one concept, and every fifth image is held out', () => {
  const names = Array.from({ length: 6 }, (_, i) => `${i}.jpg`);
  const folder = folderWith([...names.map((name) => `my cats/${name}`), 'dogs/a.PNG', 'dogs/readme.txt']);
  const images = imagesOfFolder(folder, 1000);
  rmSync(folder, { recursive: true });
  expect(images.map(({ id, concept, heldOut }) => [id, concept, heldOut])).toEqual([
    ['dogs-train-0-a', 'dogs', false],
    ['my-cats-train-0-0', 'my-cats', false],
    ['my-cats-train-1-1', 'my-cats', false],
    ['my-cats-train-2-2', 'my-cats', false],
    ['my-cats-train-3-3', 'my-cats', false],
    ['my-cats-test-4-4', 'my-cats', true],
    ['my-cats-train-5-5', 'my-cats', false],
  ]);
});

test('a folder parted into train and test keeps its parts', () => {
  const folder = folderWith(['train/a/1.jpg', 'train/a/2.jpg', 'test/a/3.jpg']);
  const images = imagesOfFolder(folder, 1);
  rmSync(folder, { recursive: true });
  expect(images.map(({ heldOut }) => heldOut)).toEqual([false, true]);
});

test('the set the demo draws is the same every time', async () => {
  const [first] = ownImages(5);
  const [again] = ownImages(5);
  expect(ownImages(5)).toHaveLength(20);
  expect(await first?.bytes()).toEqual(await again?.bytes());
});
