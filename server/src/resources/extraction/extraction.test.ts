import { expect, test } from 'vitest';
import { tarOf } from '#testing/archives.ts';
import {
  defaultArchiveLimits,
  folderOfPath,
  idOfPath,
  isJunk,
  openMeter,
  pathTrouble,
  TooMuch,
} from './extraction.ts';
import { readTar } from './tar.ts';

test.each([
  ['folder/dog.tiff', 'dog.tiff'],
  ['a/b/c/été 🐕.png', 'été 🐕.png'],
  ['100%?#.png', '100___.png'],
  ['bell\u0007.png', 'bell_.png'],
  [`${'x'.repeat(5000)}.png`, `${'x'.repeat(252)}.png`],
  ['folder/', 'folder'],
  ['...', ''],
  ['', ''],
])('the file %j becomes the input %j', (path, id) => {
  expect(idOfPath(path)).toBe(id);
});

test.each([
  ['plain/name.png', undefined],
  ['..name/a..png', undefined],
  ['../up.png', 'leads out of the archive'],
  ['a/../../up.png', 'leads out of the archive'],
  ['/root.png', 'has an absolute path'],
  ['c:/win.png', 'has an absolute path'],
  ['a\\b.png', 'has a backslash in its name'],
  ['line\nbreak.png', 'has a control character in its name'],
  ['x'.repeat(4097), 'has a name of more than 4096 characters'],
])('an entry named %j: %s', (path, trouble) => {
  expect(pathTrouble(path)).toBe(trouble);
});

test('what systems leave behind is nobody’s loss', () => {
  const junk = ['__MACOSX/a.png', '.DS_Store', 'a/.hidden', './.hidden', './a/.git/b.png', 'a/Thumbs.db'];
  expect(junk.filter((path) => !isJunk(path))).toEqual([]);
  expect(['a.png', 'b/c.png', './a.png', './b/./c.png', 'a./b.png'].filter(isJunk)).toEqual([]);
});

test.each([
  ['a.png', ''],
  ['./a.png', ''],
  ['street/night/a.png', 'street/night'],
  ['./street//./night/a.png', 'street/night'],
])('the file %j lies in the folder %j', (path, folder) => {
  expect(folderOfPath(path)).toBe(folder);
});

test('a meter ends an archive by its ratio, and a job by its entries and bytes', () => {
  const none = { entries: 0, bytes: 0, archiveBytesOut: 0 };
  const limits = { ...defaultArchiveLimits, entriesMax: 2, bytesMax: 300e6 };
  const meter = openMeter(limits, 500_000, none);
  meter.entry();
  meter.entry();
  expect(() => meter.entry()).toThrow(expect.objectContaining({ endsJob: true }));
  meter.bytes(99e6);
  expect(() => meter.bytes(2e6)).toThrow(expect.objectContaining({ endsJob: false }));
  expect(() => openMeter(limits, 1e9, { ...none, bytes: 299e6 }).bytes(2e6)).toThrow(TooMuch);
});

test('a tar that is cut anywhere gives whole entries, and then says so', async () => {
  const files = Array.from({ length: 5 }, (_, i) => ({ path: `f${i}`, bytes: Buffer.alloc(700, i) }));
  const tar = tarOf(files);
  for (const length of [0, 100, 512, 900, 1536, 2000, 2700, tar.length - 1024]) {
    const whole: string[] = [];
    const walk = async () => {
      const chunks = (async function* () {
        for (let at = 0; at < length; at += 333) yield tar.subarray(at, Math.min(length, at + 333));
      })();
      for await (const entry of readTar(chunks)) {
        const parts: Buffer[] = [];
        for await (const chunk of entry.content()) parts.push(chunk);
        expect(Buffer.concat(parts)).toEqual(Buffer.alloc(700, whole.length));
        whole.push(entry.path);
      }
    };
    if (length % 1536 === 0) await walk();
    else await expect(walk()).rejects.toThrow('ends in the middle');
    expect(whole).toHaveLength(Math.floor((length + 324) / 1536));
  }
});
