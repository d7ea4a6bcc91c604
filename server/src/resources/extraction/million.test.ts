import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { tarOf, zipOf } from '#testing/archives.ts';
import { readTar } from './tar.ts';
import { type RandomAccess, readZip } from './zip.ts';

const entryCount = 1_000_000;
const warmCount = 200_000;
const grownBytesMax = 64 * 2 ** 20;

/** Walks all entries. @returns how many there are, and by how much the process grew at most once it was warm */
async function walked(entries: AsyncIterable<{ readonly path: string }>) {
  let [count, warmBytes, grownBytes, last] = [0, 0, 0, ''];
  for await (const { path } of entries) {
    count += 1;
    last = path;
    if (count % 20_000 > 0) continue;
    const { rss } = process.memoryUsage();
    if (count <= warmCount) warmBytes = Math.max(warmBytes, rss);
    else grownBytes = Math.max(grownBytes, rss - warmBytes);
  }
  return { count, grownBytes, last };
}

const nameOf = (i: number) => `p${String(i).padStart(7, '0')}.png`;

test('a tar of a million entries is walked in constant memory', async () => {
  const [header] = [tarOf([{ path: nameOf(0), bytes: Buffer.alloc(0) }]).subarray(0, 512)];
  const checked = header?.subarray(148, 154).toString() ?? '';
  const digitsOf = (name: string) => [...name].reduce((sum, char) => sum + char.charCodeAt(0), 0);
  const sumBeside = Number.parseInt(checked, 8) - digitsOf(nameOf(0));
  async function* bytes() {
    const perChunk = 100;
    for (let i = 0; i < entryCount; i += perChunk) {
      const chunk = Buffer.alloc(perChunk * 512);
      for (let k = 0; k < perChunk; k++) {
        const block = chunk.subarray(k * 512, (k + 1) * 512);
        header?.copy(block);
        const name = nameOf(i + k);
        block.write(name, 0);
        block.write(`${(sumBeside + digitsOf(name)).toString(8).padStart(6, '0')}\0 `, 148);
      }
      yield chunk;
    }
    yield Buffer.alloc(1024);
  }
  const { count, grownBytes, last } = await walked(readTar(bytes()));
  expect([count, last]).toEqual([entryCount, nameOf(entryCount - 1)]);
  expect(grownBytes).toBeLessThan(grownBytesMax);
}, 120_000);

test('the directory of a zip of a million entries is walked in constant memory', async () => {
  const name = nameOf(0);
  const small = zipOf([{ path: name, bytes: Buffer.alloc(0), method: 'store' }], { zip64: true });
  const centralAt = small.indexOf(Buffer.from('504b0102', 'hex'));
  const end64At = small.indexOf(Buffer.from('504b0606', 'hex'));
  const record = small.subarray(centralAt, end64At);
  const localBytes = centralAt;
  const directoryAt = localBytes * entryCount;
  const endAt = directoryAt + record.length * entryCount;
  const end = Buffer.from(small.subarray(end64At));
  for (const [at, value] of [
    [24, entryCount],
    [32, entryCount],
    [40, record.length * entryCount],
    [48, directoryAt],
    [56 + 8, endAt],
  ] as const)
    end.writeBigUInt64LE(BigInt(value), at);
  /** The file is made as it is read: nobody has 200 MB of it at once. */
  const file: RandomAccess = {
    sizeBytes: endAt + end.length,
    read(start, stop) {
      const parts: Buffer[] = [];
      for (let at = start; at < stop; ) {
        const piece = pieceAt(at);
        const taken = piece.subarray(0, stop - at);
        parts.push(taken);
        at += taken.length;
      }
      return Readable.from([Buffer.concat(parts)], { objectMode: false });
    },
  };
  function pieceAt(at: number): Buffer {
    if (at >= endAt) return end.subarray(at - endAt);
    if (at < directoryAt) return small.subarray(at % localBytes, localBytes);
    const i = Math.floor((at - directoryAt) / record.length);
    const own = Buffer.from(record);
    own.write(nameOf(i), 46);
    return own.subarray((at - directoryAt) % record.length);
  }
  const { count, grownBytes, last } = await walked(readZip(file));
  expect([count, last]).toEqual([entryCount, nameOf(entryCount - 1)]);
  expect(grownBytes).toBeLessThan(grownBytesMax);
}, 120_000);
