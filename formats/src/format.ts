import type { FileSink, FileTree } from './files.ts';
import type { Holds } from './holds.ts';
import type { Locator } from './paths.ts';
import type { Report } from './problems.ts';
import type { Dataset } from './record.ts';

export type FormatId =
  | 'coco'
  | 'yolo-detect'
  | 'yolo-segment'
  | 'yolo-pose'
  | 'yolo-obb'
  | 'yolo-classify'
  | 'voc'
  | 'image-folder'
  | 'cvat'
  | 'labelme'
  | 'label-studio'
  | 'datumaro'
  | 'open-images'
  | 'csv';

/** A tree that was listed once. */
export interface Listing {
  readonly tree: FileTree;
  /** Sorted, so that every walk is the same. */
  readonly paths: readonly string[];
  readonly sizes: ReadonlyMap<string, number>;
  /** Pictures only. */
  readonly images: Locator;
  readonly imagePaths: readonly string[];
}

export interface ReadContext {
  readonly report: Report;
}

export interface WriteContext {
  readonly report: Report;
  /** False leaves the pictures out and writes what is said of them only. */
  readonly withImages: boolean;
}

export interface Format {
  readonly id: FormatId;
  /** As people call it. */
  readonly title: string;
  readonly holds: Holds;
  /** 0 for surely not, 1 for surely; looks into as few files as it can. */
  detect(listing: Listing): Promise<number>;
  read(listing: Listing, context: ReadContext): Promise<Dataset>;
  /** Writes records that were fitted to what the format holds. */
  write(dataset: Dataset, sink: FileSink, context: WriteContext): Promise<void>;
}
