import { expect, test } from 'vitest';
import { checkTypes, givenBy, wantedBy } from './node-types.ts';

const node = (id: string, typeId: string, ...inputs: string[]) => ({ id, typeId, inputs });

test.each([
  [
    'a detector, its crops, and a classifier on them',
    [node('d', 'visual-detector'), node('c', 'image-crop', 'd'), node('k', 'visual-classifier', 'c')],
  ],
  ['an embedding and a head on it', [node('e', 'visual-embedder'), node('k', 'embedding-classifier', 'e')]],
  [
    'a head after a cropper embeds the crops itself',
    [node('d', 'visual-detector'), node('c', 'image-crop', 'd'), node('k', 'embedding-classifier', 'c')],
  ],
  [
    'text read from regions and joined',
    [
      node('o', 'optical-character-recognizer'),
      node('t', 'text-aggregation-operator', 'o'),
      node('p', 'prompter', 't'),
    ],
  ],
  [
    'text of regions, each classified',
    [node('o', 'optical-character-recognizer'), node('k', 'text-classifier', 'o')],
  ],
  [
    'a sampler passes on what comes',
    [node('k', 'visual-classifier'), node('s', 'random-sample', 'k'), node('t', 'concept-threshold', 's')],
  ],
  [
    'a classifier after another looks back to the picture',
    [node('k', 'visual-classifier'), node('l', 'visual-classifier', 'k')],
  ],
  ['a tracker of what a detector finds', [node('d', 'visual-detector'), node('t', 'byte-tracker', 'd')]],
  [
    'types that nobody published take and give anything',
    [node('x', 'homemade'), node('t', 'concept-threshold', 'x'), node('y', 'homemade', 't')],
  ],
])('fits: %s', (_name, nodes) => {
  expect(() => checkTypes(nodes)).not.toThrow();
});

test.each([
  [
    'a threshold on an embedding',
    [node('e', 'visual-embedder'), node('t', 'concept-threshold', 'e')],
    "'t' (concept-threshold) takes concepts",
  ],
  [
    'a text model after a picture model',
    [node('k', 'visual-classifier'), node('p', 'prompter', 'k')],
    "'p' (prompter) takes text",
  ],
  [
    'a cropper after a classifier',
    [node('k', 'visual-classifier'), node('c', 'image-crop', 'k')],
    'takes regions or frames',
  ],
  [
    'a sampler does not make concepts of an embedding',
    [node('e', 'visual-embedder'), node('s', 'random-sample', 'e'), node('t', 'concept-threshold', 's')],
    "'s' gives embeddings",
  ],
])('does not fit: %s', (_name, nodes, words) => {
  expect(() => checkTypes(nodes)).toThrow(
    expect.objectContaining({ code: 22107, details: expect.stringContaining(words) }),
  );
});

test('fields of types become kinds of content', () => {
  expect(wantedBy('multimodal-embedder')).toEqual(['image', 'text']);
  expect([...givenBy('visual-detector', new Set())].sort()).toEqual(['concepts', 'regions']);
});
