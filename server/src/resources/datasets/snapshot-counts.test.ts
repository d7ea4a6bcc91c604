import { create, fromBinary } from '@bufbuild/protobuf';
import { DatasetVersionSchema, RegionSchema } from '@fovea/contract';
import { describe, expect, test } from 'vitest';
import { cellsOf, type InputFacts, packAllMetrics, Tally } from './snapshot-counts.ts';

const facts = (more: Partial<InputFacts>): InputFacts => ({
  kind: 'image',
  split: '',
  width: 0,
  height: 0,
  concepts: [],
  counts: { inputsCount: 1 },
  cells: [],
  ...more,
});

const groupNames = (tally: Tally) =>
  tally.groups().map(({ split, type, value }) => `${split}|${type}|${value}`);

describe('counts of a version', () => {
  test('an input counts in the whole and in its split', () => {
    const tally = new Tally();
    tally.addInput(facts({ split: 'train' }));
    tally.addInput(facts({ split: 'test' }));
    tally.addInput(facts({}));
    const { metrics } = fromBinary(DatasetVersionSchema, packAllMetrics(tally.groups()));
    expect(Object.entries(metrics).map(([split, m]) => [split, m.inputsCount])).toEqual([
      ['', 3n],
      ['test', 1n],
      ['train', 1n],
    ]);
  });

  test.each([
    [1920, 1080, '|30|2070000', '|31|1.7'],
    [70, 100, '|30|0', '|31|0.7'],
    [100, 100, '|30|10000', '|31|1'],
  ])('%i x %i pixels fall into their bins', (width, height, pixels, ratio) => {
    const tally = new Tally();
    tally.addInput(facts({ width, height }));
    expect(groupNames(tally)).toEqual(expect.arrayContaining([pixels, ratio]));
  });

  test('the sums of chunks are those of all their inputs at once', () => {
    const inputs = Array.from({ length: 30 }, (_, i) =>
      facts({
        split: ['', 'train', 'test'][i % 3] as string,
        concepts: i % 2 ? ['cat'] : ['cat', 'dog'],
        counts: { inputsCount: 1, regionsCount: i },
        cells: [i % 100, 7],
      }),
    );
    const whole = new Tally();
    for (const one of inputs) whole.addInput(one);
    const joined = new Tally();
    for (let at = 0; at < 30; at += 7) {
      const chunk = new Tally();
      for (const one of inputs.slice(at, at + 7)) chunk.addInput(one);
      joined.addKept(JSON.parse(JSON.stringify(chunk.kept())));
    }
    expect(joined.groups()).toEqual(whole.groups());
  });
});

describe('where regions lie', () => {
  const box = (topRow: number, leftCol: number, bottomRow: number, rightCol: number) =>
    create(RegionSchema, { regionInfo: { boundingBox: { topRow, leftCol, bottomRow, rightCol } } });
  test.each([
    ['a corner', box(0, 0, 0.05, 0.05), [0]],
    ['the last corner', box(0.95, 0.95, 1, 1), [99]],
    ['two cells', box(0.01, 0.01, 0.05, 0.15), [0, 1]],
    ['a point', create(RegionSchema, { regionInfo: { point: { row: 0.25, col: 0.5 } } }), [25]],
    ['no place', create(RegionSchema, {}), []],
  ])('%s', (_, region, cells) => {
    expect(cellsOf(region)).toEqual(cells);
  });
});
