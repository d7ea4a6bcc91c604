import { expect, test } from 'vitest';
import { detectFormat, formats } from './all.ts';
import { memoryFiles, utf8 } from './files.ts';
import type { FormatId } from './format.ts';
import { listTree } from './listing.ts';
import { problemLog } from './problems.ts';
import { all, pngHead } from './testing.ts';

async function readText(id: FormatId, files: Readonly<Record<string, string | Uint8Array>>) {
  const tree = memoryFiles();
  for (const [path, content] of Object.entries(files)) {
    tree.files.set(path, typeof content === 'string' ? utf8(content) : content);
  }
  const log = problemLog();
  const listing = await listTree(tree, log.report);
  const format = formats.find((one) => one.id === id);
  if (!format) throw new Error(id);
  const dataset = await format.read(listing, { report: log.report });
  return {
    records: await all(dataset.records()),
    problems: log.kept,
    found: (await detectFormat(listing))?.id,
  };
}

const picture = pngHead(10, 10);

test('XML with entities is refused, and its neighbours are read', async () => {
  const bomb = `<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&b;&x;</filename></annotation>`;
  const good =
    '<annotation><filename>b.png</filename><object><name>car</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>';
  const voc = await readText('voc', {
    'Annotations/a.xml': bomb,
    'Annotations/b.xml': good,
    'JPEGImages/b.png': picture,
  });
  expect(voc.records.map(({ path }) => path)).toEqual(['b.png']);
  expect(voc.problems).toMatchObject([
    { code: 'broken-file', path: 'Annotations/a.xml', message: expect.stringContaining('document type') },
  ]);
  const cvat = await readText('cvat', { 'annotations.xml': bomb.replaceAll('annotation>', 'annotations>') });
  expect(cvat.records).toEqual([]);
  expect(cvat.problems[0]).toMatchObject({ code: 'broken-file' });
});

test('XML nested without end is refused in words', async () => {
  const { records, problems } = await readText('voc', { 'a.xml': `<annotation>${'<a>'.repeat(10_000)}` });
  expect(records).toEqual([]);
  expect(problems).toMatchObject([{ code: 'broken-file', message: expect.stringContaining('nested') }]);
});

test('names that lead out of the folder are reported and left out', async () => {
  const outside = ['../../etc/passwd', '/etc/passwd', 'C:\\windows\\a.png', 'a/../../b.png', 'a\u0000.png'];
  const coco = await readText('coco', {
    'a.json': JSON.stringify({
      images: outside.map((file_name, i) => ({ id: i + 1, file_name })),
      annotations: [],
      categories: [],
    }),
  });
  expect(coco.records).toEqual([]);
  expect(coco.problems.map(({ code }) => code)).toEqual(outside.map(() => 'unsafe-path'));
  const csv = await readText('csv', { 'a.csv': `image,label\n${outside.slice(0, 4).join(',x\n')},x\n` });
  expect(csv.records).toEqual([]);
  expect(csv.problems.map(({ code }) => code)).toEqual(outside.slice(0, 4).map(() => 'unsafe-path'));
  const studio = await readText('label-studio', {
    'a.json': JSON.stringify([{ data: { image: '/data/local-files/?d=..%2F..%2Fetc' }, annotations: [] }]),
  });
  expect(studio.problems).toMatchObject([{ code: 'unsafe-path' }]);
});

test('entries of the tree itself that lead out are left out', async () => {
  const { records, problems } = await readText('image-folder', {
    'car/../../a.png': picture,
    '/b/c.png': picture,
    'car/d.png': picture,
  });
  expect(records.map(({ path }) => path)).toEqual(['d.png']);
  expect(problems.map(({ code }) => code)).toEqual(['unsafe-path', 'unsafe-path']);
});

test('numbers that are none take away one annotation, not its picture', async () => {
  const { records, problems } = await readText('coco', {
    'a.png': picture,
    'a.json':
      '{"images":[{"id":1,"file_name":"a.png","width":10,"height":10}],"categories":[{"id":1,"name":"car"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[NaN,0,1,1]},{"id":2,"image_id":1,"category_id":1,"bbox":[1,2,3,4]},{"id":3,"image_id":1,"category_id":1,"bbox":[1e400,2,3,4]},{"id":4,"image_id":1,"category_id":1,"segmentation":{"size":[10,10],"counts":[5]}},{"id":5,"image_id":9,"category_id":1,"bbox":[0,0,1,1]},{"id":6,"image_id":1,"category_id":7,"bbox":[0,0,1,1]}]}',
  });
  expect(records).toHaveLength(1);
  expect(records[0]?.annotations.map(({ id, label }) => [id, label])).toEqual([
    ['2', 'car'],
    ['6', undefined],
  ]);
  expect(problems.map(({ code, at }) => [code, at])).toContainEqual(['bad-number', 'annotation 1']);
  expect(problems.map(({ code }) => code)).toContain('unknown-class');
  const yolo = await readText('yolo-detect', {
    'data.yaml': 'names: [car]\n',
    'images/a.png': picture,
    'labels/a.txt': '0 .5 .5 .2 .2\n0 nan .5 .2 .2\n0 1e999 0 0 0\nx 0 0 0 0\n0 1 2 3\n',
  });
  expect(yolo.records[0]?.annotations).toEqual([{ label: 'car', box: { x: 4, y: 4, width: 2, height: 2 } }]);
  expect(yolo.problems.map(({ at }) => at)).toEqual(['line 2', 'line 3', 'line 4', 'line 5']);
});

test('labels of YOLO without their picture are told, file by file', async () => {
  const { records, problems } = await readText('yolo-detect', {
    'data.yaml': 'names: [car]\n',
    'images/train/a.png': picture,
    'labels/train/a.txt': '0 .5 .5 .2 .2\n',
    'labels/train/b.txt': '0 .5 .5 .2 .2\n',
    'labels/train/empty.txt': '',
    'labels/classes.txt': 'car\n',
    'train.txt': 'images/train/a.png\n',
  });
  expect(records.map(({ path }) => path)).toEqual(['a.png']);
  expect(problems).toMatchObject([{ code: 'missing-image', path: 'labels/train/b.txt', severity: 'error' }]);
});

test('so are those of Darknet, which lie among lists and notes', async () => {
  const { records, problems } = await readText('yolo-detect', {
    'obj.names': 'car\n',
    'train.txt': 'data/obj_train_data/a.png\n',
    'obj_train_data/a.png': picture,
    'obj_train_data/a.txt': '0 .5 .5 .2 .2\n',
    'obj_train_data/b.txt': '\n0 .5 .5 .2 .2\n',
    'obj_train_data/empty.txt': '',
    'obj_train_data/notes.txt': 'taken in May\n',
  });
  expect(records.map(({ path }) => path)).toEqual(['a.png']);
  expect(problems).toMatchObject([
    { code: 'missing-image', path: 'obj_train_data/b.txt', severity: 'error' },
  ]);
});

test.each([
  ['coco', 'a.json', '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"id": 1'],
  ['coco', 'a.json', `{"images": [{"id": 1, "file_name": "a.png", "x": ${'['.repeat(5_000)}`],
  ['datumaro', 'a.json', '{"categories": {"label": {"labels": [{"name": "a"}]}}, "items": [{"id": "a"}, 7'],
  ['label-studio', 'a.json', '[{"data": {"image": "a.png"}, "annotations": []}, {'],
  ['labelme', 'a.json', '{"shapes": [], "imagePath": "a.p'],
  ['cvat', 'annotations.xml', '<annotations><image id="0" name="a.png"/><image'],
  ['csv', 'a.csv', 'image,label\na.png,"car'],
  ['yolo-detect', 'data.yaml', 'names: &a [*a, *a]\n: ['],
  ['open-images', 'train-annotations-bbox.csv', 'ImageID,LabelName,XMin,XMax,YMin,YMax\na,car,0,"1'],
] as const)(
  '%s that breaks off in the middle is said to, and what came before is kept',
  async (id, path, content) => {
    const { problems } = await readText(id, { [path]: content, 'a.png': picture });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.map(({ code }) => code)).toContain('broken-file');
  },
);

test('names that differ only in case are told and kept apart', async () => {
  const { records, problems } = await readText('image-folder', {
    'car/A.png': picture,
    'car/a.png': picture,
  });
  expect(records.map(({ path }) => path)).toEqual(['A.png', 'a.png']);
  expect(problems).toMatchObject([{ code: 'name-clash' }]);
  const tree = memoryFiles();
  const log = problemLog();
  const target = formats.find(({ id }) => id === 'voc');
  const bytes = async function* () {
    yield picture;
  };
  const dataset = {
    classes: [],
    async *records() {
      yield { path: 'A.png', annotations: [], bytes };
      yield { path: 'a.png', annotations: [], bytes };
    },
  };
  await target?.write(dataset, tree, { report: log.report, withImages: true });
  expect([...tree.files.keys()].filter((path) => path.startsWith('JPEG'))).toEqual([
    'JPEGImages/A.png',
    'JPEGImages/a-2.png',
  ]);
  expect(log.kept).toMatchObject([{ code: 'name-clash' }]);
});

test('an attribute called __proto__ is only an attribute', async () => {
  const { records } = await readText('coco', {
    'a.json':
      '{"images":[{"id":1,"file_name":"a.png","attributes":{"__proto__":{"polluted":1},"constructor":"x"}}],"annotations":[],"categories":[]}',
  });
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(Object.keys(records[0]?.attributes ?? {})).toEqual(['__proto__', 'constructor']);
});

test('nothing in no format throws for a tree of noise', async () => {
  const noise = {
    'a.json': '\u0000\u0001',
    'b.xml': '\uFFFD<<',
    'c.csv': '"',
    'd.yaml': '}{',
    'e.png': 'no picture',
    'labels/e.txt': 'x',
  };
  for (const { id } of formats) await expect(readText(id, noise)).resolves.toBeDefined();
});
