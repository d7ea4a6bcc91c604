import { expect, test } from 'vitest';
import { memoryFiles, utf8 } from '../files.ts';
import { listTree } from '../listing.ts';
import { problemLog } from '../problems.ts';
import { all, pngHead } from '../testing.ts';
import { voc } from './voc.ts';

test('polygons of the web tool LabelMe are read, less what was deleted there', async () => {
  const object = (name: string, points: readonly [string, string][], deleted = 0) =>
    `<object><name>${name}</name><deleted>${deleted}</deleted><attributes></attributes><polygon><username>me</username>${points
      .map(([x, y]) => `<pt><x>${x}</x><y>${y}</y></pt>`)
      .join('')}</polygon></object>`;
  const triangle = [
    ['1', '2'],
    ['8', '2'],
    ['8', '6'],
  ] as [string, string][];
  const tree = memoryFiles();
  tree.files.set(
    'Annotations/street/a.xml',
    utf8(
      `<annotation><filename>a.png</filename><folder>street</folder><imagesize><nrows>10</nrows><ncols>20</ncols></imagesize>
       ${object('tree', triangle)}${object('gone', triangle, 1)}${object('line', triangle.slice(1))}${object('odd', [['x', '1'], ...triangle])}</annotation>`,
    ),
  );
  tree.files.set('Images/street/a.png', pngHead(20, 10));
  const log = problemLog();
  const listing = await listTree(tree, log.report);
  expect(await voc.detect(listing)).toBeGreaterThan(0.8);
  const dataset = await voc.read(listing, { report: log.report });
  const records = await all(dataset.records());
  expect(records).toMatchObject([
    { path: 'street/a.png', annotations: [{ label: 'tree', polygons: [[1, 2, 8, 2, 8, 6]] }] },
  ]);
  expect(records[0]?.annotations).toHaveLength(1);
  expect(records[0]?.bytes).toBeDefined();
  expect(log.kept).toMatchObject([
    { code: 'bad-number', path: 'Annotations/street/a.xml', message: expect.stringContaining('polygon') },
    { code: 'bad-number', message: expect.stringContaining('three points') },
  ]);
});
