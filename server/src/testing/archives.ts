import { crc32, deflateRawSync } from 'node:zlib';

export interface PackedFile {
  readonly path: string;
  readonly bytes: Buffer;
  /** 'store' keeps the bytes as they are. Default 'deflate'. */
  readonly method?: 'store' | 'deflate';
  /** Upper half of the external attributes, of an archive made on Unix: 0o120777 is a link. */
  readonly mode?: number;
  /** What the directory says instead of the truth. */
  readonly lie?: { crc?: number; size?: number; flags?: number; offset?: number };
}

/** A zip file of these entries; `zip64` writes sizes and places as archives beyond 4 GiB do (APPNOTE 4.3.9, 4.5.3). */
export function zipOf(files: readonly PackedFile[], { zip64 = false } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { path, bytes, method = 'deflate', mode, lie = {} } of files) {
    const name =
      Buffer.from(path, 'latin1').toString('latin1') === path ? Buffer.from(path) : Buffer.from(path, 'utf8');
    const packed = method === 'store' ? bytes : deflateRawSync(bytes);
    const crc = lie.crc ?? crc32(bytes);
    const size = lie.size ?? bytes.length;
    const flags = (lie.flags ?? 0) | 0x800;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method === 'store' ? 0 : 8, 8);
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(size, 22);
    local.writeUInt16LE(name.length, 26);
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(packed.length), 12);
      extra.writeBigUInt64LE(BigInt(lie.offset ?? at), 20);
    }
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(mode === undefined ? 20 : (3 << 8) | 20, 4);
    central.writeUInt16LE(zip64 ? 45 : 20, 6);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method === 'store' ? 0 : 8, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(zip64 ? 0xffffffff : packed.length, 20);
    central.writeUInt32LE(zip64 ? 0xffffffff : size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE(mode === undefined ? 0 : (mode << 16) >>> 0, 38);
    central.writeUInt32LE(zip64 ? 0xffffffff : (lie.offset ?? at), 42);
    parts.push(local, name, packed);
    directory.push(central, name, extra);
    at += local.length + name.length + packed.length;
  }
  const listed = Buffer.concat(directory);
  const tail: Buffer[] = [];
  if (zip64) {
    const end64 = Buffer.alloc(56);
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(44n, 4);
    end64.writeUInt16LE(45, 12);
    end64.writeUInt16LE(45, 14);
    end64.writeBigUInt64LE(BigInt(files.length), 24);
    end64.writeBigUInt64LE(BigInt(files.length), 32);
    end64.writeBigUInt64LE(BigInt(listed.length), 40);
    end64.writeBigUInt64LE(BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(at + listed.length), 8);
    locator.writeUInt32LE(1, 16);
    tail.push(end64, locator);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : files.length, 8);
  end.writeUInt16LE(zip64 ? 0xffff : files.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : listed.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : at, 16);
  return Buffer.concat([...parts, listed, ...tail, end]);
}

export interface TarFile {
  readonly path: string;
  readonly bytes?: Buffer;
  /** '0' a file, '2' a link, '3' a device, '5' a folder. */
  readonly type?: string;
}

/** A tar of these entries; names of more than 100 bytes as pax writes them. */
export function tarOf(files: readonly TarFile[]): Buffer {
  return Buffer.concat([...files.flatMap(blocksOf), Buffer.alloc(1024)]);
}

function blocksOf({ path, bytes = Buffer.alloc(0), type = '0' }: TarFile): Buffer[] {
  const name = Buffer.from(path);
  if (name.length <= 100) return [headerOf(path, bytes.length, type), padded(bytes)];
  const body = ` path=${path}\n`;
  let length = Buffer.byteLength(body) + 2;
  while (String(length).length + Buffer.byteLength(body) !== length) length += 1;
  const record = Buffer.from(`${length}${body}`);
  const short = headerOf(path.slice(0, 100), bytes.length, type);
  return [headerOf('PaxHeader', record.length, 'x'), padded(record), short, padded(bytes)];
}

function headerOf(path: string, size: number, type: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(path, 0, 100);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.fill(' ', 148, 156);
  block.write(type, 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
