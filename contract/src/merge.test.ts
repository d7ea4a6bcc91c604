import { createFileRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { mergeInto } from '../build/merge.mjs';

const setOf = (...messageType: JsonValue[]) =>
  fromJson(FileDescriptorSetSchema, {
    file: [{ name: 'a.proto', package: 'p', syntax: 'proto3', messageType }],
  });

const field = (name: string, number: number, typeName?: string): JsonValue => ({
  name,
  number,
  label: 'LABEL_OPTIONAL',
  ...(typeName ? { type: 'TYPE_MESSAGE', typeName } : { type: 'TYPE_STRING' }),
});

const shape = (set: ReturnType<typeof setOf>) =>
  Object.fromEntries(
    [...createFileRegistry(set)].flatMap((type) =>
      type.kind === 'message'
        ? [[type.typeName, type.fields.map(({ name, number }) => `${name}=${number}`)]]
        : [],
    ),
  );

test('an overlay adds fields to messages of the same name, and the types these need', () => {
  const base = setOf({ name: 'Model', field: [field('id', 1)] });
  const overlay = setOf(
    { name: 'Model', field: [field('id', 1), field('extra', 9, '.p.Extra')] },
    {
      name: 'Extra',
      field: [field('deep', 1, '.p.Extra.Deep')],
      nestedType: [{ name: 'Deep', field: [field('x', 1)] }],
    },
    { name: 'Unused', field: [field('y', 1)] },
  );
  mergeInto(base, overlay, { fields: true });
  expect(shape(base)).toEqual({
    'p.Model': ['id=1', 'extra=9'],
    'p.Extra': ['deep=1'],
    'p.Extra.Deep': ['x=1'],
  });
});

test('an older version never changes a message that is there', () => {
  const base = setOf({ name: 'Model', field: [field('id', 1)] });
  mergeInto(base, setOf({ name: 'Model', field: [field('old', 1), field('gone', 2)] }), { fields: false });
  expect(shape(base)).toEqual({ 'p.Model': ['id=1'] });
});

test.each([
  ['a number that is taken', field('other', 1)],
  ['a name that has another number', field('id', 2)],
])('an overlay with %s is refused', (_what, clash) => {
  const base = setOf({ name: 'Model', field: [field('id', 1)] });
  expect(() => mergeInto(base, setOf({ name: 'Model', field: [clash] }), { fields: true })).toThrow(
    'conflicts with',
  );
});
