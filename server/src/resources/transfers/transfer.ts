import { createHash } from 'node:crypto';
import type { Problem } from '@fovea/formats';

export type TransferKind = 'import' | 'export';
export type TransferState = 'pending' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Cursor {
  /** What comes next: looking through the set, making inputs, saying what is seen in them. */
  readonly phase?: 'look' | 'inputs' | 'annotations';
  /** Records finished in this phase. */
  readonly done?: number;
  /** Ids that the batch under way makes; known before it runs, so that one that ran half is counted right. */
  readonly fresh?: readonly string[];
}

/** Exact at every moment: each number is stored with the cursor of the batch it counts. */
export interface TransferCounts {
  readonly images: number;
  readonly inputsAdded: number;
  /** Inputs that were there before. */
  readonly inputsPresent: number;
  readonly inputsFailed: number;
  readonly annotationsAdded: number;
  readonly annotationsFailed: number;
  readonly written: number;
}

export const noCounts: TransferCounts = {
  images: 0,
  inputsAdded: 0,
  inputsPresent: 0,
  inputsFailed: 0,
  annotationsAdded: 0,
  annotationsFailed: 0,
  written: 0,
};

export interface TransferRow {
  readonly key: number;
  readonly id: string;
  readonly kind: TransferKind;
  readonly state: TransferState;
  readonly datasetId: string;
  readonly format: string;
  readonly dryRun: boolean;
  readonly withImages: boolean;
  readonly uploadId: string;
  /** Of the dataset version that is exported; empty for the dataset as it is. */
  readonly versionId: string;
  readonly cursor: Cursor;
  readonly counts: Partial<TransferCounts>;
  readonly report: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
  readonly reason: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export const isOpen = ({ state }: Pick<TransferRow, 'state'>): boolean =>
  state === 'pending' || state === 'running';

/**
 * The id of an input that stands for a picture of a set: the same each time the set is imported into the dataset, and
 * never that of another set's picture, whatever ids the set itself gives.
 */
export function inputIdOf(datasetId: string, split: string | undefined, path: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([datasetId, split ?? '', path]))
    .digest('hex')
    .slice(0, 12);
  const stem = path
    .replace(/^.*\//, '')
    .replace(/\.[^.]*$/, '')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .slice(0, 80);
  return `${stem}-${hash}`;
}

/** The id of a concept for a class by its name; names that make the same id stay apart. */
export function conceptIdOf(label: string): string {
  const plain = label
    .replace(/[\u0000-\u001f\u007f/\\?#%]/g, '-')
    .trim()
    .slice(0, 200);
  if (plain === label && plain !== '' && plain !== '.' && plain !== '..') return label;
  return `${plain}-${createHash('sha256').update(label).digest('hex').slice(0, 8)}`;
}
