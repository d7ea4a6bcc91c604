import type { PicturePrint } from '#engine/prints/index.ts';
import type { Indexed } from './deps.ts';
import type { MediaSize } from './media-url.ts';

/** What became of one medium: everything that the commit has to write. */
export interface Digest {
  readonly sha: Buffer;
  readonly sizeBytes: number;
  /** Data with nothing but the media and what is known of them now. */
  readonly media: Buffer;
  /**
   * Objects that were stored, to be stored again should they be freed before the commit. Where the bytes were too
   * large to hold, only their number is known; then the commit fails and the input is worked on anew.
   */
  readonly kept: readonly { size: MediaSize; bytes: Buffer | number }[];
  readonly indexed: Indexed | undefined;
  /** Of pictures: what the same picture is found again by. */
  readonly print?: PicturePrint | undefined;
  /** What searches for words look through. */
  readonly text: string | undefined;
  /** What its owner has to know of it, though it is processed; '' mostly. */
  readonly note: string;
}
