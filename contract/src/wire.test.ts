import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { ConceptSchema, DataSchema, mergeFields, StatusSchema, WireReader, WireWriter } from './index.ts';

test.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])(
  'the number %i reads back, and takes the bytes that an encoder takes',
  (value) => {
    const writer = new WireWriter(1);
    writer.uint(5, value);
    const wanted = toBinary(StatusSchema, create(StatusSchema, { percentCompleted: value }));
    expect(Buffer.from(writer.taken())).toEqual(Buffer.from(wanted));
    const reader = new WireReader().read(wanted);
    if (value > 0) expect([reader.next(), reader.field, reader.value]).toEqual([true, 5, value]);
    expect(reader.next()).toBe(false);
  },
);

test.each([0, 1, -1, 1_732_600_000, -62_135_596_800, 2 ** 53 - 1, -(2 ** 53 - 1)])(
  'the signed number %i takes the bytes that an encoder takes',
  (value) => {
    const writer = new WireWriter();
    writer.int64(1, value);
    const wanted = toBinary(TimestampSchema, create(TimestampSchema, { seconds: BigInt(value) }));
    expect(Buffer.from(writer.taken())).toEqual(Buffer.from(wanted));
  },
);

test.each([0, 1, 0.1, 0.999_999_9])(
  'the number %f is written in single precision, as an encoder does',
  (value) => {
    const writer = new WireWriter(1);
    writer.float(3, value);
    const wanted = toBinary(ConceptSchema, create(ConceptSchema, { value }));
    expect(Buffer.from(writer.taken())).toEqual(Buffer.from(wanted));
  },
);

test.each([0, 1, 63, 64, 126, 127, 128, 16_382, 16_383, 16_384, 3_000_000])(
  'a nested message of a text of %i bytes is as an encoder writes it',
  (size) => {
    const name = 'ü'.repeat(Math.floor(size / 2)) + 'x'.repeat(size % 2);
    const writer = new WireWriter();
    const opened = writer.open(3);
    writer.text(2, name);
    writer.close(opened);
    const wanted = toBinary(DataSchema, create(DataSchema, { concepts: [{ name }] }));
    expect(Buffer.from(writer.taken()).equals(Buffer.from(wanted))).toBe(true);
  },
);

test('fields of ours go to the places of their numbers, and replace stored ones', () => {
  const stored = toBinary(
    ConceptSchema,
    create(ConceptSchema, { id: 'a', name: 'old', value: 1, userId: 'u' }),
  );
  const writer = new WireWriter();
  mergeFields(writer, new WireReader().read(stored), [2, 6, 30], (field) => {
    if (field !== 30) writer.text(field, `new ${field}`);
  });
  const wanted = create(ConceptSchema, { id: 'a', name: 'new 2', value: 1, appId: 'new 6', userId: 'u' });
  expect(Buffer.from(writer.taken())).toEqual(Buffer.from(toBinary(ConceptSchema, wanted)));
  expect(fromBinary(ConceptSchema, writer.taken())).toEqual(wanted);
});

test.each([
  ['a field that ends behind its message', '0a05 61'],
  ['a number without an end', 'ffffffffffffffffffff01'],
  ['a wire type that there is not', '0f'],
  ['a group without an end', '0b 0a0161'],
])('%s is refused', (_what, hex) => {
  const reader = new WireReader().read(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  expect(() => {
    while (reader.next());
  }).toThrow(RangeError);
});

test('a group inside a group is one field', () => {
  const reader = new WireReader().read(Buffer.from('0b130a0161140c0a0162', 'hex'));
  expect([reader.next(), reader.field, reader.tagAt, reader.end]).toEqual([true, 1, 0, 7]);
  expect([reader.next(), reader.field, reader.tagAt, reader.end]).toEqual([true, 1, 7, 10]);
  expect(reader.next()).toBe(false);
});
