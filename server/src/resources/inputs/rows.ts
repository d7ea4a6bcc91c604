import type { InputKind } from './input.ts';

/** An input as it is kept. */
export interface InputRow {
  readonly key: number;
  readonly id: string;
  readonly kind: InputKind;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly url: string;
  readonly allowDuplicateUrl: boolean;
  readonly mediaSha: Buffer | null;
  readonly media: Buffer;
  readonly settings: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface AddJobRow {
  readonly key: number;
  readonly id: string;
  readonly pendingCount: number;
  readonly inProgressCount: number;
  readonly successCount: number;
  readonly failedCount: number;
  readonly statusCode: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}
