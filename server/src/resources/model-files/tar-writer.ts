const blockBytes = 512;

/** A file to be written; `content` yields exactly `sizeBytes`. */
export interface TarFile {
  readonly name: string;
  readonly sizeBytes: number;
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A tar (POSIX ustar) without times and owners: the same files are the same bytes. @param files names of at most 100 bytes */
export async function* tarOf(files: readonly TarFile[]): AsyncGenerator<Buffer> {
  for (const file of files) {
    yield headerOf(file);
    let written = 0;
    for await (const chunk of file.content()) {
      written += chunk.length;
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    if (written !== file.sizeBytes)
      throw new Error(`${file.name} has ${written} bytes, not ${file.sizeBytes}`);
    yield Buffer.alloc((blockBytes - (written % blockBytes)) % blockBytes);
  }
  yield Buffer.alloc(2 * blockBytes);
}

function headerOf({ name, sizeBytes }: TarFile): Buffer {
  const block = Buffer.alloc(blockBytes);
  if (Buffer.byteLength(name) > 100) throw new RangeError(`the name '${name}' is too long for a package`);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  // Eleven octal digits end at 8 GiB; beyond them GNU's binary form is used.
  if (sizeBytes < 8 ** 11) block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
