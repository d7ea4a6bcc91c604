import { create } from '@bufbuild/protobuf';
import { ModelSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { patchedMessage, readAction, sentJson } from './patch-json.ts';

test.each([
  ['nothing beyond what is set, over gRPC', undefined, { description: 'd' }],
  [
    'empty lists, texts and objects that were sent',
    { description: 'd', toolkits: [], notes: '', metadata: {} },
    { description: 'd', toolkits: [], notes: '', metadata: {} },
  ],
  ['no nulls', { description: 'd', notes: null }, { description: 'd' }],
  [
    'empties inside of objects',
    { description: 'd', visibility: { gettable: 0 } },
    { description: 'd', visibility: { gettable: 0 } },
  ],
])('a sparse message says %s', (_what, raw, expected) => {
  expect(sentJson(ModelSchema, create(ModelSchema, { description: 'd' }), raw)).toMatchObject(expected);
});

const before = create(ModelSchema, { description: 'old', toolkits: ['a'], metadata: { keep: 1, list: [1] } });

test.each([
  [
    'merge',
    { toolkits: ['b'], metadata: { list: [2] } },
    { description: 'old', toolkits: ['a', 'b'], metadata: { keep: 1, list: [1, 2] } },
  ],
  [
    'overwrite',
    { toolkits: ['b'], metadata: { list: [2] } },
    { description: 'old', toolkits: ['b'], metadata: { list: [2] } },
  ],
  [
    'remove',
    { toolkits: ['a'], metadata: { keep: true } },
    { description: 'old', toolkits: [], metadata: { list: [1] } },
  ],
] as const)('%s', (action, sent, expected) => {
  expect(patchedMessage(ModelSchema, action, before, structuredClone(sent) as never)).toMatchObject(expected);
});

test('no action means merge, or overwrite where that is all there is; others are named', () => {
  expect(readAction('')).toBe('merge');
  expect(readAction('', ['overwrite'])).toBe('overwrite');
  expect(() => readAction('merge', ['overwrite'])).toThrow("Unrecognized action 'merge'");
});
