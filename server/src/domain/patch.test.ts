import { expect, test } from 'vitest';
import { type Json, patched } from './patch.ts';

test.each([
  ['merge', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
  ['merge', { a: 1 }, { a: 'x' }, { a: 'x' }],
  ['merge', { a: { b: 1, c: 2 } }, { a: { b: 3 } }, { a: { b: 3, c: 2 } }],
  ['merge', { a: { b: 1 } }, { a: {} }, { a: {} }],
  ['merge', { a: 1 }, { a: null }, { a: 1 }],
  ['merge', { l: [1, 2] }, { l: [3] }, { l: [1, 2, 3] }],
  ['merge', { l: [1, 2] }, { l: [] }, { l: [] }],
  ['merge', { l: 5 }, { l: [1] }, { l: [1] }],
  [
    'merge',
    { l: [{ id: 'a', v: 1 }, { id: 'b' }] },
    { l: [{ id: 'a', v: 2 }, { id: 'c' }] },
    { l: [{ id: 'a', v: 2 }, { id: 'b' }, { id: 'c' }] },
  ],
  ['merge', { a: 1 }, { toString: null, constructor: { b: 1 } }, { a: 1, constructor: { b: 1 } }],
  ['remove', { a: 1 }, { valueOf: {}, toString: 'x' }, { a: 1 }],
  ['overwrite', { a: 1, b: 2 }, { a: 3 }, { a: 3 }],
  ['remove', { a: 1, b: 2 }, { a: true }, { b: 2 }],
  ['remove', { a: 1, b: 2 }, { a: false }, { a: false, b: 2 }],
  ['remove', { a: 1 }, { a: null }, { a: 1 }],
  ['remove', { a: 1 }, { a: {} }, { a: 1 }],
  ['remove', { a: { b: 1 } }, { a: { b: true } }, { a: {} }],
  ['remove', { l: [{ id: 'a' }, { id: 'b' }] }, { l: [{ id: 'a' }, { id: 'z' }] }, { l: [{ id: 'b' }] }],
  ['remove', { l: ['x', 'y'] }, { l: ['x'] }, { l: ['y'] }],
] as [Parameters<typeof patched>[0], Json, Json, Json][])(
  '%s %j with %j gives %j',
  (action, before, sent, after) => {
    expect(patched(action, before, sent)).toEqual(after);
  },
);
