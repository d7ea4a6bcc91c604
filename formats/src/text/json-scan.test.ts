import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textOf, utf8 } from '../files.ts';
import { JsonBroken, parseJson, scanJson } from './json-scan.ts';

async function* cut(text: string, size: number) {
  const bytes = utf8(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function elements(text: string, size = 7) {
  const found: { key: string; inArray: boolean; value: unknown }[] = [];
  for await (const { key, inArray, bytes, start, end } of scanJson(cut(text, size))) {
    expect(textOf(utf8(text).subarray(start, end)).trim()).toBe(textOf(bytes).trim());
    found.push({ key, inArray, value: JSON.parse(textOf(bytes)) });
  }
  return found;
}

test('elements come out whole wherever the file is cut', async () => {
  const plain = fc.jsonValue({ maxDepth: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.string(), fc.oneof(plain, fc.array(plain))),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, 2),
      async (root, size, indent) => {
        const hoped = Object.entries(root).flatMap(([key, value]) =>
          Array.isArray(value)
            ? value.map((one) => ({ key, inArray: true, value: one }))
            : [{ key, inArray: false, value }],
        );
        const plainCopy = (value: unknown) => JSON.parse(JSON.stringify(value));
        expect(plainCopy(await elements(JSON.stringify(root, null, indent), size))).toEqual(plainCopy(hoped));
      },
    ),
    { numRuns: 200 },
  );
});

test('an array outermost has elements without a key', async () => {
  expect(await elements('\uFEFF[1, {"a": [2]}, "x]"]')).toEqual([
    { key: '', inArray: true, value: 1 },
    { key: '', inArray: true, value: { a: [2] } },
    { key: '', inArray: true, value: 'x]' },
  ]);
});

test.each(['', '7', '{"a": [1, 2', `{"a": [${'['.repeat(500)}`])('%j is refused in words', async (text) => {
  await expect(elements(text)).rejects.toThrow(JsonBroken);
});

test('NaN and Infinity outside of texts become null', () => {
  expect(parseJson('{"a": [NaN, -Infinity, 1], "NaN": "NaN Infinity"}')).toEqual({
    value: { a: [null, null, 1], NaN: 'NaN Infinity' },
    hadNaN: true,
  });
  expect(() => parseJson('{"a": nan}')).toThrow(JsonBroken);
  expect(() => parseJson('['.repeat(300) + ']'.repeat(300))).toThrow(/nested/);
});
