/** The parts of an MP4 file that indexing needs (ISO/IEC 14496-12, 4.2 and 8). */

export interface Box {
  readonly type: string;
  /** What follows its head. */
  readonly body: Buffer;
}

/** Length and name of the box that begins with these bytes; 16 are enough. */
export function readHead(bytes: Buffer): { type: string; size: number; headBytes: number } | undefined {
  if (bytes.length < 8) return undefined;
  const size = bytes.readUInt32BE(0);
  const type = bytes.toString('latin1', 4, 8);
  if (size !== 1) return size < 8 ? undefined : { type, size, headBytes: 8 };
  if (bytes.length < 16) return undefined;
  const long = Number(bytes.readBigUInt64BE(8));
  return long < 16 || !Number.isSafeInteger(long) ? undefined : { type, size: long, headBytes: 16 };
}

/** The boxes that lie side by side in some bytes; what is cut off is left out. */
export function boxesIn(bytes: Buffer): Box[] {
  const found: Box[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const head = readHead(bytes.subarray(at));
    if (!head || at + head.size > bytes.length) break;
    found.push({ type: head.type, body: bytes.subarray(at + head.headBytes, at + head.size) });
    at += head.size;
  }
  return found;
}

/** The first box down a path of names. */
export function boxAt(bytes: Buffer, ...path: readonly string[]): Buffer | undefined {
  const [name, ...rest] = path;
  if (name === undefined) return bytes;
  const body = boxesIn(bytes).find(({ type }) => type === name)?.body;
  return body && boxAt(body, ...rest);
}

/** What the index needs of the head of a fragmented file with one track (`moov`). */
export interface TrackHead {
  /** Ticks per second. */
  readonly timescale: number;
  /** Of samples that say none. */
  readonly sampleTicks: number;
  readonly codecs: string | undefined;
}

/** @returns undefined for bytes that are no `moov` body of one track */
export function readTrackHead(moov: Buffer): TrackHead | undefined {
  const mdhd = boxAt(moov, 'trak', 'mdia', 'mdhd');
  const stsd = boxAt(moov, 'trak', 'mdia', 'minf', 'stbl', 'stsd');
  if (!mdhd || !stsd) return undefined;
  return {
    timescale: mdhd.readUInt32BE(mdhd[0] === 1 ? 20 : 12),
    sampleTicks: boxAt(moov, 'mvex', 'trex')?.readUInt32BE(12) ?? 0,
    codecs: codecsOf(stsd.subarray(8)),
  };
}

const sampleHeadBytes = { video: 78, sound: 28 } as const;
const hex = (value: number | undefined) => (value ?? 0).toString(16).padStart(2, '0');
const two = (value: number) => String(value).padStart(2, '0');

/** The name of a codec with its profile, as players ask for it (RFC 6381); undefined for one that is not known here. */
function codecsOf(entries: Buffer): string | undefined {
  const [entry] = boxesIn(entries);
  if (!entry) return undefined;
  const inside = (name: string, kind: keyof typeof sampleHeadBytes) =>
    boxAt(entry.body.subarray(sampleHeadBytes[kind]), name);
  switch (entry.type) {
    case 'avc1':
    case 'avc3': {
      const config = inside('avcC', 'video');
      return config && `${entry.type}.${hex(config[1])}${hex(config[2])}${hex(config[3])}`;
    }
    case 'vp09': {
      const config = inside('vpcC', 'video');
      return config && `vp09.${two(config[4] ?? 0)}.${two(config[5] ?? 0)}.${two((config[6] ?? 0) >> 4)}`;
    }
    case 'av01': {
      const config = inside('av1C', 'video');
      if (!config) return undefined;
      const [profileAndLevel = 0, rest = 0] = config.subarray(1);
      const depth = (rest & 0x40) === 0 ? 8 : (rest & 0x20) === 0 ? 10 : 12;
      const tier = (rest & 0x80) === 0 ? 'M' : 'H';
      return `av01.${profileAndLevel >> 5}.${two(profileAndLevel & 31)}${tier}.${two(depth)}`;
    }
    case 'mp4a': {
      const config = inside('esds', 'sound');
      return config && soundCodec(config.subarray(4));
    }
    case 'Opus':
      return 'opus';
    case 'fLaC':
      return 'flac';
    default:
      return undefined;
  }
}

/** Reads an ES descriptor (ISO/IEC 14496-1, 7.2.6): the object type, for AAC with its profile. */
function soundCodec(descriptor: Buffer): string | undefined {
  const es = inTag(descriptor, 3);
  // ES_ID and flags; streams inside others or with URLs are not written by anybody.
  const decoder = es && inTag(es.subarray(3), 4);
  const objectType = decoder?.[0];
  if (objectType === undefined) return undefined;
  if (objectType !== 0x40) return `mp4a.${hex(objectType)}`;
  const specific = decoder && inTag(decoder.subarray(13), 5);
  return `mp4a.40.${specific ? (specific[0] ?? 0) >> 3 : 2}`;
}

function inTag(bytes: Buffer, tag: number): Buffer | undefined {
  if (bytes[0] !== tag) return undefined;
  let [at, size] = [1, 0];
  for (let more = true; more && at < Math.min(5, bytes.length); at += 1) {
    const byte = bytes[at] as number;
    size = (size << 7) | (byte & 0x7f);
    more = (byte & 0x80) !== 0;
  }
  return bytes.subarray(at, at + size);
}

/** When a fragment (`moof`) with one track is shown, in ticks. */
export interface FragmentTimes {
  /** Of its first sample, in decoding order. */
  readonly decodedAt: number;
  /** Of the sample that is shown first. */
  readonly shownAt: number;
  readonly ticks: number;
}

/** @returns undefined for bytes that are no `moof` body with times */
export function readFragment(moof: Buffer, { sampleTicks }: TrackHead): FragmentTimes | undefined {
  const traf = boxAt(moof, 'traf');
  const [tfhd, tfdt] = [traf && boxAt(traf, 'tfhd'), traf && boxAt(traf, 'tfdt')];
  if (!traf || !tfhd || !tfdt) return undefined;
  const decodedAt = tfdt[0] === 1 ? Number(tfdt.readBigUInt64BE(4)) : tfdt.readUInt32BE(4);
  const flags = tfhd.readUIntBE(1, 3);
  const skipped = ((flags & 1) === 0 ? 0 : 8) + ((flags & 2) === 0 ? 0 : 4);
  const defaultTicks = (flags & 8) === 0 ? sampleTicks : tfhd.readUInt32BE(8 + skipped);
  let ticks = 0;
  let shownAt = Number.POSITIVE_INFINITY;
  for (const { type, body } of boxesIn(traf)) {
    if (type !== 'trun') continue;
    const has = body.readUIntBE(1, 3);
    let at = 8 + ((has & 1) === 0 ? 0 : 4) + ((has & 4) === 0 ? 0 : 4);
    for (let n = body.readUInt32BE(4); n > 0; n -= 1) {
      const own = (has & 0x100) === 0 ? undefined : body.readUInt32BE(at);
      at += [0x100, 0x200, 0x400].reduce((sum, flag) => sum + ((has & flag) === 0 ? 0 : 4), 0);
      const later = (has & 0x800) === 0 ? 0 : body[0] === 0 ? body.readUInt32BE(at) : body.readInt32BE(at);
      if ((has & 0x800) !== 0) at += 4;
      shownAt = Math.min(shownAt, decodedAt + ticks + later);
      ticks += own ?? defaultTicks;
    }
  }
  return Number.isFinite(shownAt) ? { decodedAt, shownAt, ticks } : undefined;
}

export interface IndexEntry {
  readonly bytes: number;
  readonly ticks: number;
}

/** A segment index (`sidx`, 8.16.3) of parts that follow it at once, each beginning with a picture that needs no other. */
export function writeIndex(timescale: number, shownAt: number, entries: readonly IndexEntry[]): Buffer {
  const box = Buffer.alloc(40 + 12 * entries.length);
  box.writeUInt32BE(box.length, 0);
  box.write('sidx', 4, 'latin1');
  box.writeUInt8(1, 8);
  box.writeUInt32BE(1, 12);
  box.writeUInt32BE(timescale, 16);
  box.writeBigUInt64BE(BigInt(Math.max(0, shownAt)), 20);
  box.writeUInt16BE(entries.length, 38);
  for (const [i, { bytes, ticks }] of entries.entries()) {
    box.writeUInt32BE(bytes, 40 + 12 * i);
    box.writeUInt32BE(ticks, 44 + 12 * i);
    box.writeUInt32BE(0x9000_0000, 48 + 12 * i);
  }
  return box;
}
