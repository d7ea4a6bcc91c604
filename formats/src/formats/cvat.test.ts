import { expect, test } from 'vitest';
import { memoryFiles, utf8 } from '../files.ts';
import { listTree } from '../listing.ts';
import { problemLog } from '../problems.ts';
import { all, pngHead } from '../testing.ts';
import { cvat } from './cvat.ts';

test('tracks of a video become annotations of its frames, where they are seen', async () => {
  const tree = memoryFiles();
  tree.files.set(
    'annotations.xml',
    utf8(`<?xml version="1.0"?><annotations><version>1.1</version><meta><task><size>3</size><mode>interpolation</mode>
      <labels><label><name>car</name><attributes/></label></labels>
      <original_size><width>20</width><height>10</height></original_size></task></meta>
      <track id="7" label="car" source="manual">
        <box frame="0" keyframe="1" outside="0" occluded="0" xtl="1" ytl="2" xbr="4" ybr="6"><attribute name="colour">red</attribute></box>
        <box frame="1" keyframe="0" outside="0" occluded="1" xtl="2" ytl="2" xbr="5" ybr="6"/>
        <box frame="2" keyframe="1" outside="1" occluded="0" xtl="3" ytl="2" xbr="6" ybr="6"/>
      </track>
      <track id="8" label="car"><polygon frame="1" outside="0" occluded="0" points="0,0;4,0;4,4"/></track>
    </annotations>`),
  );
  tree.files.set('images/frame_000000.PNG', pngHead(20, 10));
  tree.files.set('images/frame_000001.PNG', pngHead(20, 10));
  const log = problemLog();
  const listing = await listTree(tree, log.report);
  expect(await cvat.detect(listing)).toBeGreaterThan(0.9);
  const dataset = await cvat.read(listing, { report: log.report });
  const records = (await all(dataset.records())).map(({ bytes, ...record }) => record);
  expect(records).toEqual([
    {
      path: 'frame_000000.PNG',
      width: 20,
      height: 10,
      frame: 0,
      annotations: [
        { label: 'car', box: { x: 1, y: 2, width: 3, height: 4 }, attributes: { colour: 'red' }, track: '7' },
      ],
    },
    {
      path: 'frame_000001.PNG',
      width: 20,
      height: 10,
      frame: 1,
      annotations: [
        {
          label: 'car',
          box: { x: 2, y: 2, width: 3, height: 4 },
          attributes: { occluded: true },
          track: '7',
        },
        { label: 'car', polygons: [[0, 0, 4, 0, 4, 4]], track: '8' },
      ],
    },
  ]);
  expect(log.kept).toEqual([]);
});
