import type { DenseReduction } from '../dense/reduce.ts';

/** Element types that travel between threads; the same names as in ONNX Runtime. */
export type TensorType = 'float32' | 'uint8' | 'int32' | 'int64' | 'bool';

/** A tensor as plain data, row by row. */
export interface TensorData {
  type: TensorType;
  dims: readonly number[];
  data: Float32Array | Uint8Array | Int32Array | BigInt64Array;
}

export type Tensors = Record<string, TensorData>;

/** One input or output of a network; an unnamed or free dimension is -1. */
export interface TensorPort {
  name: string;
  type: string;
  dims: number[];
}

/** What to do with the raw outputs before they leave the worker. */
export type Reduction = { kind: 'objects' | 'faces'; confidenceMin: number } | DenseReduction;

export type WorkerRequest =
  | {
      kind: 'run';
      id: number;
      file: string;
      items: Tensors[];
      outputs?: readonly string[];
      reduction?: Reduction;
    }
  | { kind: 'describe'; id: number; file: string }
  | { kind: 'close' };

export type ItemResult = { ok: true; value: unknown } | { ok: false; reason: string };

export type WorkerReply =
  | { kind: 'results'; id: number; results: ItemResult[] }
  | { kind: 'described'; id: number; inputs: TensorPort[]; outputs: TensorPort[] }
  | { kind: 'failed'; id: number; reason: string };

export interface InferenceWorkerData {
  sessionsMax: number;
  /** 0 as all others, up to 19: how far it lets other threads go first. */
  niceness: number;
}
