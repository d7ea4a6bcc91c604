import { expect, test } from 'vitest';
import { type DataShape, annotationKind as kind, kindsOf, placeKinds } from './annotation-kinds.ts';

const empty: DataShape = {
  concepts: [],
  colors: [],
  clusters: [],
  embeddings: [],
  regions: [],
  frames: [],
  timeSegments: [],
  tracks: [],
};
const place = (info: object) => ({ ...empty, regions: [{ regionInfo: { keypointLocations: [], ...info } }] });

test.each<[string, DataShape, number]>([
  ['nothing', empty, 0],
  ['empty metadata', { ...empty, metadata: {} }, 0],
  ['concepts and metadata', { ...empty, concepts: [{}], metadata: { a: 1 } }, kind.concepts | kind.metadata],
  ['a box', place({ boundingBox: {} }), kind.box],
  ['key points', place({ keypointLocations: [{}] }), kind.keypoints],
  ['a region without place', { ...empty, regions: [{}] }, kind.region],
  [
    'a labelled box in a frame',
    { ...empty, frames: [{ data: { ...place({ boundingBox: {} }), concepts: [{}] } }] },
    kind.frame | kind.box | kind.concepts,
  ],
])('%s', (_title, data, bits) => {
  expect(kindsOf(data)).toBe(bits);
});

test('concepts and metadata alone are about the whole input', () => {
  expect(kindsOf({ ...empty, concepts: [{}], metadata: { a: 1 } }) & placeKinds).toBe(0);
});
