import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

const blockBytes = 512;
const padding = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes;

/** Files as one tar (POSIX ustar), made as it is read. @returns its size and a way to read it */
export async function tarOfFiles(files: readonly { path: string; file: string }[]) {
  const sized = await Promise.all(files.map(async (one) => ({ ...one, size: (await stat(one.file)).size })));
  const size = sized.reduce((sum, one) => sum + blockBytes + one.size + padding(one.size), 2 * blockBytes);
  return {
    size,
    async *chunks(): AsyncGenerator<Uint8Array> {
      for (const one of sized) {
        yield headerOf(one.path, one.size);
        yield* createReadStream(one.file) as AsyncIterable<Buffer>;
        yield new Uint8Array(padding(one.size));
      }
      yield new Uint8Array(2 * blockBytes);
    },
  };
}

function headerOf(path: string, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const cut = Buffer.byteLength(path) > 100 ? path.lastIndexOf('/', 100) : -1;
  block.write(path.slice(cut + 1), 0, 100);
  if (cut > 0) block.write(path.slice(0, cut), 345, 155);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('00000000000\0', 136);
  block.write('        0', 148);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
