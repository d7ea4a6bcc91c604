import { create } from '@bufbuild/protobuf';
import { PostInputsRequestSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { checkTexts } from './texts.ts';

const requestWith = (input: object) =>
  create(PostInputsRequestSchema, { inputs: [{ id: 'ok' }, input as never] });

test.each([
  ['an id', { id: 'a\0b' }, 'inputs[1].id holds a NUL character'],
  ['a text in a oneof', { data: { text: { raw: 'a\0' } } }, 'inputs[1].data.text.raw holds a NUL character'],
  [
    'a value of metadata',
    { data: { metadata: { a: { b: ['\0'] } } } },
    'inputs[1].data.metadata.a.b[0] holds a NUL',
  ],
  [
    'a key of metadata',
    { data: { metadata: { 'a\0': 1 } } },
    'inputs[1].data.metadata holds a NUL character',
  ],
  ['half a surrogate pair', { id: '\ud800' }, 'inputs[1].id holds half of a surrogate pair'],
])('%s that the database cannot hold is refused by name', (_what, input, words) => {
  expect(() => checkTexts(requestWith(input))).toThrow(words);
});

test('bytes may hold zeros, and texts any character', () => {
  const input = {
    id: 'é \u{1F600} \u202e\n',
    data: { image: { base64: new Uint8Array(64) }, metadata: { n: [0, 1] } },
  };
  expect(() => checkTexts(requestWith(input))).not.toThrow();
});
