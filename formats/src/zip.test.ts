import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, type RandomFile, utf8 } from './files.ts';
import { crc32, crc32Here } from './png.ts';
import { openZip, ZipBroken } from './zip-read.ts';
import { storedZipSize, zipTo } from './zip-write.ts';

const fileOf = (bytes: Uint8Array): RandomFile => ({
  size: bytes.length,
  read: async (start, end) => bytes.subarray(start, end),
  close: async () => {},
});

test('checksums are those of the standard, with and without what Node has of its own', () => {
  expect(crc32Here(utf8('123456789'))).toBe(0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (head, tail) => {
      const whole = crc32Here(concat([head, tail]));
      expect(crc32(concat([head, tail]))).toBe(whole);
      expect(crc32(tail, crc32(head))).toBe(whole);
      expect(crc32Here(tail, crc32Here(head))).toBe(whole);
    }),
  );
});

async function zipped(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const zip = zipTo(async (bytes) => void parts.push(bytes));
  for (const [path, bytes] of Object.entries(files)) await zip.add(path, [bytes]);
  await zip.finish();
  return concat(parts);
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>) {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return concat(parts);
}

test('what goes into an archive comes out, read whole or in part', async () => {
  const name = fc.stringMatching(/^[a-zü]{1,8}\.(txt|png|json)$/);
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, fc.uint8Array({ maxLength: 400 })), async (files) => {
      const tree = await openZip(fileOf(await zipped(files)));
      expect((await tree.list()).map(({ path }) => path).sort()).toEqual(Object.keys(files).sort());
      for (const [path, bytes] of Object.entries(files)) {
        expect(Buffer.compare(await bytesOf(tree.stream(path)), bytes)).toBe(0);
        const file = await tree.open(path);
        expect(Buffer.from(await file.read(1, 3))).toEqual(Buffer.from(bytes.subarray(1, 3)));
      }
    }),
  );
});

test('names that begin at the folder that was packed are the names in it', async () => {
  const files = {
    './': new Uint8Array(),
    './a.png': utf8('a'),
    './b/c.png': utf8('c'),
    '../up.png': utf8('d'),
  };
  const tree = await openZip(fileOf(await zipped(files)));
  expect((await tree.list()).map(({ path }) => path).sort()).toEqual(['../up.png', 'a.png', 'b/c.png']);
  expect(Buffer.from(await bytesOf(tree.stream('b/c.png'))).toString()).toBe('c');
});

test('the size of an archive that packs nothing is known beforehand', async () => {
  const files = { 'a/ü.txt': utf8('hello'), 'b.png': new Uint8Array(1_000), 'empty.json': new Uint8Array() };
  const parts: Uint8Array[] = [];
  const zip = zipTo(async (bytes) => void parts.push(bytes), undefined, { stored: true });
  for (const [path, bytes] of Object.entries(files)) await zip.add(path, [bytes]);
  await zip.finish();
  const sizes = Object.entries(files).map(([path, { length }]) => ({ path, size: length }));
  expect(storedZipSize(sizes)).toBe(concat(parts).length);
});

test('a large text is packed and unpacked in pieces', async () => {
  const text = utf8('all work and no play\n'.repeat(2_000_000));
  const archive = await zipped({ 'a.txt': text });
  expect(archive.length).toBeLessThan(text.length / 50);
  const tree = await openZip(fileOf(archive));
  expect(Buffer.compare(await bytesOf(tree.stream('a.txt')), text)).toBe(0);
});

test('other programs read our archives', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-zip-'));
  try {
    const path = join(folder, 'a.zip');
    writeFileSync(path, await zipped({ 'a/ü.txt': utf8('hello'), 'b.png': Uint8Array.of(1, 2, 3) }));
    const script =
      'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(z.testzip(), z.namelist(), z.read("b.png"))';
    let said: string;
    try {
      said = execFileSync('python3', ['-c', script, path], {
        encoding: 'utf8',
        env: { ...process.env, PYTHONIOENCODING: 'utf8' },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return context.skip('no python3 here');
      throw error;
    }
    expect(said.trim()).toBe("None ['a/ü.txt', 'b.png'] b'\\x01\\x02\\x03'");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('bytes that were changed are noticed, and nothing but ZipBroken is thrown', async () => {
  const archive = await zipped({ 'a.png': utf8('0123456789'), 'b.txt': utf8('0123456789'.repeat(50)) });
  for (let at = 0; at < archive.length; at++) {
    const broken = archive.slice();
    broken[at] = (broken[at] as number) ^ 0x55;
    try {
      const tree = await openZip(fileOf(broken));
      for (const { path } of await tree.list()) await bytesOf(tree.stream(path));
    } catch (error) {
      expect(error).toBeInstanceOf(ZipBroken);
    }
  }
});

test('an archive that unpacks to far more than it is is refused before it is unpacked', async () => {
  const bomb = await zipped({ 'zeros.txt': new Uint8Array(30 * 2 ** 20) });
  const limits = { entriesMax: 10, bytesMax: 2 ** 40, ratioMax: 100 };
  await expect(openZip(fileOf(bomb), { limits })).rejects.toThrow(/more than 100 times/);
  await expect(
    openZip(fileOf(bomb), { limits: { ...limits, ratioMax: 1e6, bytesMax: 1_000 } }),
  ).rejects.toThrow(/1000 bytes/);
});
