import { create } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { appetiteOf, mergedData, satisfies } from './data-flow.ts';

test('what several nodes made comes together in one piece, and leaves the pieces alone', () => {
  const first = create(DataSchema, { concepts: [{ id: 'a' }], text: { raw: 'one' } });
  const second = create(DataSchema, {
    concepts: [{ id: 'b' }],
    regions: [{ id: 'r' }],
    text: { raw: 'two' },
  });
  const merged = mergedData([first, second]);
  expect(merged.concepts.map((one) => one.id)).toEqual(['a', 'b']);
  expect([merged.regions[0]?.id, merged.text?.raw]).toEqual(['r', 'two']);
  expect(first.concepts).toHaveLength(1);
});

test.each([
  ['visual-classifier', 'image'],
  ['visual-embedder', 'image'],
  ['embedding-classifier', 'embeddings'],
  ['concept-threshold', 'concepts'],
  ['region-threshold', 'regions'],
  ['image-crop', 'regions'],
  ['prompter', 'text'],
  ['multimodal-embedder', 'image'],
  ['random-sample', 'any'],
  ['a type nobody published', 'image'],
])('a %s looks for %s', (typeId, expected) => {
  expect(appetiteOf(typeId)).toBe(expected);
});

test('an appetite is satisfied by what is really there', () => {
  const data = create(DataSchema, { concepts: [{ id: 'a' }] });
  expect([satisfies(data, 'concepts'), satisfies(data, 'image'), satisfies(data, 'any')]).toEqual([
    true,
    false,
    true,
  ]);
});
