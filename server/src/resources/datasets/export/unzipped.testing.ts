import { inflateRawSync } from 'node:zlib';

/** The files of a ZIP archive by name, read through its directory. Sums are checked by other readers. */
export function unzipped(archive: Buffer): Map<string, Buffer> {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  const files = new Map<string, Buffer>();
  let at = archive.readUInt32LE(end + 16);
  for (let n = archive.readUInt16LE(end + 10); n > 0; n--) {
    const method = archive.readUInt16LE(at + 10);
    const [nameLength, extraLength] = [archive.readUInt16LE(at + 28), archive.readUInt16LE(at + 30)];
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    const isLarge = archive.readUInt32LE(at + 20) === 0xffff_ffff;
    const extra = at + 46 + nameLength + 4;
    const packed = isLarge ? Number(archive.readBigUInt64LE(extra + 8)) : archive.readUInt32LE(at + 20);
    const start = isLarge ? Number(archive.readBigUInt64LE(extra + 16)) : archive.readUInt32LE(at + 42);
    const body = start + 30 + archive.readUInt16LE(start + 26) + archive.readUInt16LE(start + 28);
    const bytes = archive.subarray(body, body + packed);
    files.set(name, method === 0 ? bytes : inflateRawSync(bytes));
    at += 46 + nameLength + extraLength;
  }
  return files;
}
