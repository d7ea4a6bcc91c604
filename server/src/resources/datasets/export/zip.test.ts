import { expect, test } from 'vitest';
import { unzipped } from './unzipped.testing.ts';
import { crc32, type ZipEntry, zipOf } from './zip.ts';

async function archiveWith(entries: ZipEntry[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const list = async function* () {
    yield* entries;
  };
  for await (const part of zipOf(list())) parts.push(part);
  return Buffer.concat(parts);
}

test('whole and streamed files come back as they went in', async () => {
  const long = Buffer.alloc(300_000, 'abc');
  const streamed = async function* () {
    yield long.subarray(0, 100_000);
    yield long.subarray(100_000);
  };
  const files = unzipped(
    await archiveWith([
      { name: 'mimetype', body: Buffer.from('a/b'), stored: true },
      { name: 'größe/x_n3', body: long },
      { name: 'streamed.json', body: streamed() },
      { name: 'empty', body: Buffer.alloc(0) },
    ]),
  );
  expect([...files.keys()]).toEqual(['mimetype', 'größe/x_n3', 'streamed.json', 'empty']);
  expect(files.get('mimetype')?.toString()).toBe('a/b');
  expect(files.get('größe/x_n3')?.equals(long)).toBe(true);
  expect(files.get('streamed.json')?.equals(long)).toBe(true);
});

test('the same files make the same archive', async () => {
  const entries = [{ name: 'a', body: Buffer.from('text') }];
  expect(await archiveWith(entries)).toEqual(await archiveWith(entries));
});

test('sums are those of the standard, in parts as well', () => {
  expect(crc32(Buffer.from('123456789'), 0)).toBe(0xcbf43926);
  expect(crc32(Buffer.from('6789'), crc32(Buffer.from('12345'), 0))).toBe(0xcbf43926);
});
