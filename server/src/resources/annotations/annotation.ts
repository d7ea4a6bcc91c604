import type { Data } from '@fovea/contract';
import type { JsonMap } from '#domain/patch.ts';
import type { Label } from './labels-in-data.ts';

/** Who made an annotation: exactly one of a user, a model version, a workflow version. Row keys. */
export interface WorkerKeys {
  readonly userKey?: number | undefined;
  readonly modelVersionKey?: number | undefined;
  readonly workflowVersionKey?: number | undefined;
}

/** An annotation that passed every check and may be stored. Concepts in `data` carry ids. */
export interface NewAnnotation {
  readonly id: string;
  readonly inputKey: number;
  readonly inputId: string;
  readonly inputLevel: boolean;
  readonly trusted: boolean;
  readonly statusCode: number;
  readonly worker: WorkerKeys;
  readonly taskId: string;
  readonly annotationInfo: JsonMap | undefined;
  readonly consensusInfo: JsonMap | undefined;
  readonly data: Data;
}

/** The same with its data as they are stored, and with what is stored of them beside them. */
export interface PackedAnnotation extends Omit<NewAnnotation, 'data'> {
  /** The bytes of a Data message. */
  readonly packed: Uint8Array;
  /** Bits of `domain/annotation-kinds.ts`. */
  readonly kinds: number;
  readonly labels: readonly Label[];
  readonly metadata?: JsonMap | undefined;
  readonly latitude?: number | undefined;
  readonly longitude?: number | undefined;
}

/** An annotation as stored, with the names of its worker. */
export interface AnnotationRow {
  readonly key: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly id: string;
  readonly inputLevel: boolean;
  readonly trusted: boolean;
  readonly statusCode: number;
  readonly taskId: string;
  readonly annotationInfo: JsonMap | null;
  readonly consensusInfo: JsonMap | null;
  readonly data: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly workerUserId: string | null;
  readonly modelVersionId: string | null;
  readonly modelId: string | null;
  readonly modelName: string | null;
  readonly modelTypeId: string | null;
  readonly modelAppId: string | null;
  readonly modelUserId: string | null;
  readonly workflowVersionId: string | null;
  readonly workflowId: string | null;
  readonly workflowAppId: string | null;
  readonly workflowUserId: string | null;
}

/** Status codes an annotation can have (24150..24159). */
export const isAnnotationStatus = (code: number): boolean => code >= 24150 && code <= 24159;
