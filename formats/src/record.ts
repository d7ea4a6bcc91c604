/**
 * The neutral record: what one picture is and what is said of it, as no particular tool writes it.
 *
 * Coordinates are pixels from the top left corner of the picture, as real numbers; a pixel covers [i, i + 1).
 */

export type Value = string | number | boolean | null;
export type Attributes = Readonly<Record<string, Value>>;

/** Where the unrotated box starts, its sides, and clockwise degrees about its centre. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** 0 < rotation < 360; absent for upright boxes. */
  readonly rotation?: number;
}

/** Runs of zeros and ones in turn, zeros first, down the columns; they add up to width × height. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly counts: readonly number[];
}

/** visibility: 0 not marked, 1 hidden, 2 visible. */
export interface Keypoint {
  readonly x: number;
  readonly y: number;
  readonly visibility: 0 | 1 | 2;
}

/** x, y, x, y …; at least three points. */
export type Ring = readonly number[];

/** One object, or one statement about the whole picture (a label or a text without a place). */
export interface Annotation {
  readonly id?: string;
  readonly label?: string;
  readonly box?: Box;
  readonly polygons?: readonly Ring[];
  readonly mask?: Mask;
  /** As many as the class has names for, in their order. */
  readonly keypoints?: readonly Keypoint[];
  readonly point?: { readonly x: number; readonly y: number };
  readonly text?: string;
  /** Square pixels, where the source said so. */
  readonly area?: number;
  readonly attributes?: Attributes;
  /** 0..1 */
  readonly score?: number;
  /** Stands for a group of objects that were not told apart. */
  readonly crowd?: boolean;
  /** One object through the frames of a video. */
  readonly track?: string;
}

export interface ImageRecord {
  readonly id?: string;
  /** Relative, forward slashes, no `..`; see `safePath`. */
  readonly path: string;
  readonly width?: number;
  readonly height?: number;
  /** train, val, test, or another name; absent where the set is not divided. */
  readonly split?: string;
  readonly attributes?: Attributes;
  /** Number of the frame, from 0, where the picture is one of a video. */
  readonly frame?: number;
  /** Where the picture can be had, for those who may. */
  readonly url?: string;
  readonly annotations: readonly Annotation[];
  /** The untouched original file; absent where the set came without its pictures. */
  readonly bytes?: () => AsyncIterable<Uint8Array>;
}

export interface ClassInfo {
  readonly name: string;
  /** In the source, where it is not the name. */
  readonly id?: string;
  readonly supercategory?: string;
  readonly keypoints?: readonly string[];
  /** Pairs of places in `keypoints`, from 0. */
  readonly skeleton?: readonly (readonly [number, number])[];
}

/** A set of records that can be walked again and again. Classes are in the order that numbers follow. */
export interface Dataset {
  readonly classes: readonly ClassInfo[];
  /** @param wanted what is looked at; readers that save work by it leave the rest out, others do not */
  records(wanted?: { readonly annotations: boolean }): AsyncIterable<ImageRecord>;
}

/** The same thing without what is undefined, for exact comparisons and short files. */
export function compact<T extends object>(
  fields: {
    [K in keyof T]?: T[K] | undefined;
  },
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const kept: Record<string, unknown> = {};
  // A loop: every annotation that is read passes here a dozen times.
  for (const key of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept as { [K in keyof T]: Exclude<T[K], undefined> };
}

export const isPlaced = (one: Annotation): boolean =>
  Boolean(one.box || one.polygons || one.mask || one.keypoints || one.point);
