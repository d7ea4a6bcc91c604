import type { InputKind } from '../inputs/index.ts';

export const jobStatus = {
  queued: 64000,
  running: 64001,
  completed: 64002,
  failed: 64003,
  cancelled: 64004,
  listingFailed: 66000,
  archiveFailed: 67000,
} as const;

export const isOver = (statusCode: number): boolean =>
  statusCode !== jobStatus.queued && statusCode !== jobStatus.running;

export interface ArchiveLimits {
  /** Archives inside archives: 0 opens none of them. */
  readonly depthMax: number;
  /** Entries of all archives of one job. */
  readonly entriesMax: number;
  /** What all archives of one job unpack to, in bytes. */
  readonly bytesMax: number;
  /** What an archive unpacks to, in times its own size. Small ones may exceed it. */
  readonly ratioMax: number;
}

export const defaultArchiveLimits: ArchiveLimits = {
  depthMax: 3,
  entriesMax: 1_000_000,
  bytesMax: 20e9,
  ratioMax: 200,
};

/** An archive that unpacks to less than this harms nobody, whatever its ratio. */
const harmlessBytes = 64 * 2 ** 20;

/** Counts what comes out of an archive and says when it is too much. */
export function openMeter(
  limits: ArchiveLimits,
  archiveBytes: number,
  before: { entries: number; bytes: number; archiveBytesOut: number },
) {
  let { entries, bytes, archiveBytesOut } = before;
  const harmless = Math.max(harmlessBytes, limits.ratioMax * archiveBytes);
  return {
    entry(): void {
      entries += 1;
      if (entries > limits.entriesMax)
        throw new TooMuch(
          `More than ${limits.entriesMax} entries came out of the archives; nothing more is taken.`,
          true,
        );
    },
    bytes(n: number): void {
      bytes += n;
      archiveBytesOut += n;
      if (bytes > limits.bytesMax)
        throw new TooMuch(
          `More than ${limits.bytesMax} bytes came out of the archives; nothing more is taken.`,
          true,
        );
      if (archiveBytesOut > harmless)
        throw new TooMuch(`The archive unpacks to more than ${limits.ratioMax} times its size.`, false);
    },
    get seen() {
      return { entries, bytes, archiveBytesOut };
    },
  };
}

export type Meter = ReturnType<typeof openMeter>;

/** A limit was passed: of this archive, or of the whole job. */
export class TooMuch extends Error {
  override name = 'TooMuch';
  readonly endsJob: boolean;

  constructor(message: string, endsJob: boolean) {
    super(message);
    this.endsJob = endsJob;
  }
}

/** What is wrong with one entry or one archive, in words for its owner. The others go on. */
export class EntryFault extends Error {
  override name = 'EntryFault';
}

const junk = /(^|\/)(__MACOSX\/|\.(?!\/)|Thumbs\.db$|desktop\.ini$)/i;

/** Files that systems leave behind and nobody misses. A lone dot is none: `tar -c .` puts `./` before every name. */
export const isJunk = (path: string): boolean => junk.test(path);

/** Why an entry of this name is not touched, or undefined. Names never become paths; these show an intent. */
export function pathTrouble(path: string): string | undefined {
  if (path.length > 4096) return 'has a name of more than 4096 characters';
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'has a control character in its name';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'has an absolute path';
  if (path.includes('\\')) return 'has a backslash in its name';
  if (path.split('/').includes('..')) return 'leads out of the archive';
  return undefined;
}

/** Metadata key under which an input says in which folder its file lay, as `street/night`. */
export const folderKey = 'folder';

/** The folders of a file's name; '' where it lies in none. */
export const folderOfPath = (path: string): string =>
  path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .slice(0, -1)
    .join('/');

const idLengthMax = 256;

/** The id of the input that a file becomes: its name without folders, less what no id can hold. */
export function idOfPath(path: string): string {
  const name = path.split('/').filter(Boolean).at(-1) ?? '';
  const id = name
    .normalize('NFC')
    .replace(/[\u0000-\u001f\u007f/\\?#%\p{Cs}]/gu, '_')
    .slice(-idLengthMax);
  return /^\.*$/.test(id) ? '' : id;
}

export const countColumnOf = {
  image: 'image_count',
  video: 'video_count',
  audio: 'audio_count',
  text: 'text_count',
} as const satisfies Record<InputKind, string>;
