import { expect, test } from 'vitest';
import type { Statistics } from './near-store.ts';
import type { Filter } from './query.ts';
import { estimateShare, isCounted } from './selectivity.ts';

const statistics: Statistics = {
  inputs: 1_000,
  statuses: { 30000: 900, 30002: 100 },
  labels: { cat: [200, 100], dog: [500, 0] },
  members: { train: 250 },
};

const concept = (id: string, value = 1) => ({ id, name: '', value });
const filter = (annotation: Filter['annotation'], input: Filter['input'] = {}, negate = false): Filter => ({
  negate,
  annotation,
  input,
});

test.each<[string, Filter[], number]>([
  ['no filter keeps all', [], 1],
  ['a label is counted', [filter({ concepts: [concept('cat')] })], 0.2],
  ['so is its absence', [filter({ concepts: [concept('cat', 0)] })], 0.1],
  ['an unknown concept matches nothing', [filter({ concepts: [concept('yeti')] })], 0],
  ['either of two labels', [filter({ concepts: [concept('cat'), concept('dog')] })], 0.6],
  [
    'two filters multiply',
    [filter({ concepts: [concept('cat')] }), filter({ concepts: [concept('dog')] })],
    0.1,
  ],
  ['the opposite', [filter({ concepts: [concept('cat')] }, {}, true)], 0.8],
  ['a status is counted', [filter({}, { statusCode: 30002 })], 0.1],
  ['a dataset is counted', [filter({}, { datasetIds: ['train', 'other'] })], 0.25],
  ['an id is one', [filter({ inputId: 'x' })], 0.001],
  ['ids are as many', [filter({}, { ids: ['a', 'b'] })], 0.002],
])('%s', (_, filters, share) => {
  expect(estimateShare(filters, statistics, ({ id }) => [id])).toBeCloseTo(share, 9);
});

test.each<[string, Filter[], boolean]>([
  ['one label is counted', [filter({ concepts: [concept('cat')] })], true],
  ['one dataset is', [filter({}, { datasetIds: ['train'] })], true],
  ['a status is', [filter({}, { statusCode: 30000 })], true],
  ['either of two labels is a guess', [filter({ concepts: [concept('cat'), concept('dog')] })], false],
  ['metadata are', [filter({ metadata: { a: 1 } })], false],
  ['two of one annotation are', [filter({ concepts: [concept('cat')], metadata: { a: 1 } })], false],
  ['two filters are', [filter({ concepts: [concept('cat')] }), filter({}, { statusCode: 30000 })], false],
  ['the opposite is', [filter({ concepts: [concept('cat')] }, {}, true)], false],
])('%s', (_, filters, counted) => {
  expect(isCounted(filters)).toBe(counted);
});

test('an empty app has nothing to match', () => {
  const empty = { ...statistics, inputs: 0, statuses: {} };
  expect(estimateShare([filter({}, { statusCode: 30000 })], empty, ({ id }) => [id])).toBe(0);
});
