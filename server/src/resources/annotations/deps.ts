import type { Data } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Fetcher } from '#store/fetcher/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';

/** An input as far as annotations and datasets need to know it. */
export interface FoundInput {
  readonly key: number;
  readonly id: string;
  readonly statusCode: number;
  /** `image`, `video`, `audio`, `text` … */
  readonly kind: string;
}

/** Look-ups of the inputs family, which stands after this one and is handed in. Unknown ids are left out. */
export type FindInputs = (db: Db, grant: AppGrant, ids: readonly string[]) => Promise<readonly FoundInput[]>;

/** Size in pixels; of a video also how many frames it shows, in a second and in all, and for how long. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
  readonly fps?: number;
  readonly frameCount?: number;
  readonly durationSeconds?: number;
}

export interface AnnotationParts extends Deps {
  readonly findInputs: FindInputs;
  readonly fetcher: Pick<Fetcher, 'fetch'>;
  /** Sizes of pictures and videos by row key of their inputs; those without one are left out. */
  readonly pictureSizes: (
    db: Db,
    grant: AppGrant,
    inputKeys: readonly number[],
  ) => Promise<Map<number, PictureSize>>;
  /** Characters of texts, also of those beside pictures, by row key of their inputs; those without one are left out. */
  readonly textLengths: (
    db: Db,
    grant: AppGrant,
    inputKeys: readonly number[],
  ) => Promise<Map<number, number>>;
  /** Told in the transaction: these annotations are new, or their place changed, so their vectors have to be made again. */
  readonly onAnnotated: (tx: Tx, grant: AppGrant, annotationKeys: readonly number[]) => Promise<void>;
}

/** What a model sees in one frame of a video. */
export interface SeenFrame {
  readonly number: number;
  readonly timeMs: number;
  readonly data: Data;
}

/** When the frames of a video are shown. */
export interface FrameMoments {
  readonly count: number;
  timeMsOf(number: number): number;
  numberAt(timeMs: number): number;
}

/** Looks at the frames of a stored video that are chosen, by number, rising. */
export type LookAtFrames = (
  inputKey: number,
  choose: (times: FrameMoments) => readonly number[],
  signal: AbortSignal,
) => Promise<SeenFrame[]>;

export interface TrackSearchParts extends AnnotationParts {
  /** Undefined for a model version that is no detector. @throws Fault when it is gone or hidden */
  readonly frameDetector: (grant: AppGrant, modelVersionKey: number) => Promise<LookAtFrames | undefined>;
}
