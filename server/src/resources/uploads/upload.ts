/** A part of an upload as it is kept. `sha` is the SHA-256 of its bytes. */
export interface Part {
  readonly partNumber: number;
  /** Offset of its first byte in the content. */
  readonly rangeStart: number;
  readonly sizeBytes: number;
  readonly sha: Buffer;
  /** Name of its object inside the upload's folder. */
  readonly object: string;
}

export const uploadStatus = { inProgress: 68000, done: 68001, expired: 68004, canceled: 68005 } as const;

/** More parts than S3 allows, fewer than would make reading them dear. */
export const partNumberMax = 10_000;

export interface UploadLimits {
  /** Largest content of one upload, in bytes. */
  readonly uploadBytesMax: number;
  /** All uploads of an app that are kept at one time, in bytes. */
  readonly appBytesMax: number;
  /** How long an upload is kept after it was begun, in seconds. */
  readonly lifetimeS: number;
}

export const defaultUploadLimits: UploadLimits = {
  uploadBytesMax: 20 * 2 ** 30,
  appBytesMax: 100 * 2 ** 30,
  lifetimeS: 7 * 24 * 3600,
};

/** Where a part cannot go, or undefined where it fits the content. */
export function partTrouble(
  part: Pick<Part, 'partNumber' | 'rangeStart' | 'sizeBytes'>,
  contentLength: number,
): string | undefined {
  const { partNumber, rangeStart, sizeBytes } = part;
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > partNumberMax)
    return `part_number is ${partNumber}; parts are numbered from 1 to ${partNumberMax}.`;
  if (sizeBytes === 0) return `Part ${partNumber} holds no data.`;
  if (!Number.isSafeInteger(rangeStart) || rangeStart < 0 || rangeStart + sizeBytes > contentLength)
    return `Part ${partNumber} covers bytes ${rangeStart} to ${rangeStart + sizeBytes - 1}, but the content has ${contentLength} bytes.`;
  return undefined;
}

export type Judged =
  | { readonly fresh: readonly Part[]; readonly repeated: readonly Part[] }
  | { readonly conflict: string };

/**
 * Sorts parts that arrive into new ones and ones that are there already, byte for byte. A part that contradicts
 * another (same number with other bytes, or bytes of another part's range) makes all of them a conflict.
 */
export function judgeParts(kept: readonly Part[], arriving: readonly Part[]): Judged {
  const byNumber = new Map(kept.map((part) => [part.partNumber, part]));
  const fresh: Part[] = [];
  const repeated: Part[] = [];
  for (const part of arriving) {
    const known = byNumber.get(part.partNumber);
    if (known && isSame(known, part)) {
      repeated.push(part);
      continue;
    }
    if (known)
      return { conflict: `Part ${part.partNumber} was sent before with other bytes or another range_start.` };
    const other = [...byNumber.values()].find((one) => overlap(one, part));
    if (other)
      return {
        conflict: `Part ${part.partNumber} begins at byte ${part.rangeStart} and overlaps part ${other.partNumber}, which covers ${other.rangeStart} to ${other.rangeStart + other.sizeBytes - 1}.`,
      };
    byNumber.set(part.partNumber, part);
    fresh.push(part);
  }
  return { fresh, repeated };
}

const isSame = (a: Part, b: Part): boolean =>
  a.rangeStart === b.rangeStart && a.sizeBytes === b.sizeBytes && a.sha.equals(b.sha);

const overlap = (a: Part, b: Part): boolean =>
  a.rangeStart < b.rangeStart + b.sizeBytes && b.rangeStart < a.rangeStart + a.sizeBytes;
