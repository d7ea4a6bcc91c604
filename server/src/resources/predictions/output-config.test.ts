import type { MessageInitShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import {
  ConceptSchema,
  type OutputConfig,
  OutputConfigSchema,
  type OutputInfo,
  OutputInfoSchema,
} from '@fovea/contract';
import { describe, expect, test } from 'vitest';
import { limitConcepts, readSettings } from './output-config.ts';

const config = (init: MessageInitShape<typeof OutputConfigSchema>): OutputConfig =>
  create(OutputConfigSchema, init);
const info = (init: MessageInitShape<typeof OutputInfoSchema>): OutputInfo => create(OutputInfoSchema, init);

const concepts = Array.from({ length: 30 }, (_, i) =>
  create(ConceptSchema, { id: `c${i}`, name: `name ${i}`, value: i / 30 }),
);
const shown = (asked: (OutputInfo | OutputConfig | undefined)[], own?: OutputInfo) =>
  limitConcepts(concepts, readSettings(asked, own)).map((one) => one.id);

describe('how much of a prediction is shown', () => {
  test('twenty concepts, the surest first, where nobody asks for anything', () => {
    expect(shown([])).toHaveLength(20);
    expect(shown([])[0]).toBe('c29');
  });

  test.each([
    ['at most so many', config({ maxConcepts: 2 }), ['c29', 'c28']],
    ['sure enough, the limit included', config({ minValue: 27 / 30 }), ['c29', 'c28', 'c27']],
    [
      'selected by id, however unsure, and more than the limit',
      config({ maxConcepts: 1, selectConcepts: [{ id: 'c1' }, { id: 'c2' }] }),
      ['c2', 'c1'],
    ],
    ['selected by name', config({ selectConcepts: [{ name: 'name 3' }] }), ['c3']],
    [
      'selected and sure enough',
      config({ minValue: 0.5, selectConcepts: [{ id: 'c1' }, { id: 'c29' }] }),
      ['c29'],
    ],
    ['names are compared exactly', config({ selectConcepts: [{ name: 'NAME 3' }] }), []],
    ['params of the same names', info({ params: { max_concepts: 1 } }), ['c29']],
    ['selected through params', info({ params: { select_concepts: [{ id: 'c4' }] } }), ['c4']],
  ])('%s', (_name, asked, expected) => {
    expect(shown([asked])).toEqual(expected);
  });

  test('what the request asks for wins over what the model was made with', () => {
    const own = info({ params: { max_concepts: 5, min_value: 0.9 } });
    expect(shown([], own)).toEqual(['c29', 'c28', 'c27']);
    expect(shown([config({ maxConcepts: 1 })], own)).toEqual(['c29']);
  });

  test('what a model was made with does not hide what is selected', () => {
    expect(shown([config({ selectConcepts: [{ id: 'c0' }] })], info({ params: { min_value: 0.9 } }))).toEqual(
      ['c0'],
    );
  });
});
