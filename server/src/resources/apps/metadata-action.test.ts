import { expect, test } from 'vitest';
import type { JsonMap } from '#domain/patch.ts';
import { patchMetadata } from './metadata-action.ts';

const before: JsonMap = { a: 1, tags: [{ id: 'x', n: 1 }, { id: 'y' }], deep: { b: 2 } };

test.each([
  ['overwrite the whole', { c: 1 }, { op: 'overwrite' }, { c: 1 }],
  [
    'overwrite at a path',
    { deep: { b: 9 } },
    { op: 'overwrite', path: 'deep.b' },
    { ...before, deep: { b: 9 } },
  ],
  ['delete at a path', {}, { op: 'delete', path: 'tags[0]' }, { ...before, tags: [{ id: 'y' }] }],
  ['merge, overwriting', { a: 2, z: 3 }, { op: 'merge' }, { ...before, a: 2, z: 3 }],
  ['merge, keeping', { a: 2 }, { op: 'merge', mergeConflictResolution: 'do_nothing' }, before],
  [
    'merge, appending',
    { a: 2 },
    { op: 'merge', mergeConflictResolution: 'append' },
    { ...before, a: [1, 2] },
  ],
  [
    'merge by id',
    { tags: [{ id: 'x', n: 5 }] },
    { op: 'merge', mergeConflictResolution: 'merge_by_id' },
    { ...before, tags: [{ id: 'x', n: 5 }, { id: 'y' }] },
  ],
  [
    'remove by id',
    { tags: [{ id: 'x' }] },
    { op: 'merge', mergeConflictResolution: 'remove_by_id' },
    { ...before, tags: [{ id: 'y' }] },
  ],
] as [string, JsonMap, { op: string; path?: string; mergeConflictResolution?: string }, JsonMap][])(
  '%s',
  (_, sent, action, after) => {
    expect(patchMetadata(before, sent, { mergeConflictResolution: '', path: '', ...action })).toEqual(after);
  },
);

test.each([
  [{ op: 'explode' }, 'metadata_action.op'],
  [{ op: 'delete', path: 'tags[7]' }, 'leads nowhere'],
  [{ op: 'merge', mergeConflictResolution: 'guess' }, 'merge_conflict_resolution'],
])('%j is refused with words that help', (action, words) => {
  const full = { path: '', mergeConflictResolution: '', ...action };
  expect(() => patchMetadata(before, { a: 2 }, full)).toThrow(words);
});
