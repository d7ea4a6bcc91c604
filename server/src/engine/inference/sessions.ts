import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { TensorData, TensorPort, Tensors, TensorType } from './messages.ts';

// Spinning threads burn the processor between runs; parallelism comes from several workers instead.
const sessionOptions: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  // Failures come back as errors; the library's own lines on stderr would only repeat them.
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
};

/** The networks that one thread keeps loaded; the one not used for longest goes first. */
export class Sessions {
  readonly #loaded = new Map<string, InferenceSession>();
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  async run(file: string, feeds: Tensors, outputs?: readonly string[]): Promise<Tensors> {
    const session = await this.#find(file);
    const given: Record<string, Tensor> = {};
    for (const [name, { type, dims, data }] of Object.entries(feeds)) {
      given[name] = new Tensor(type as 'float32', data as Float32Array, dims);
    }
    const made = await session.run(given, outputs ?? session.outputNames);
    return Object.fromEntries(
      Object.entries(made).map(([name, tensor]) => [name, readTensor(tensor as Tensor)]),
    );
  }

  async describe(file: string): Promise<{ inputs: TensorPort[]; outputs: TensorPort[] }> {
    const session = await this.#find(file);
    return { inputs: session.inputMetadata.map(readPort), outputs: session.outputMetadata.map(readPort) };
  }

  async close(): Promise<void> {
    for (const session of this.#loaded.values()) await session.release();
    this.#loaded.clear();
  }

  async #find(file: string): Promise<InferenceSession> {
    const known = this.#loaded.get(file);
    if (known) {
      this.#loaded.delete(file);
      this.#loaded.set(file, known);
      return known;
    }
    const session = await InferenceSession.create(file, sessionOptions);
    this.#loaded.set(file, session);
    await this.#dropOldest();
    return session;
  }

  async #dropOldest(): Promise<void> {
    for (const [file, session] of this.#loaded) {
      if (this.#loaded.size <= this.#countMax) return;
      this.#loaded.delete(file);
      await session.release();
    }
  }
}

function readTensor(tensor: Tensor): TensorData {
  return { type: tensor.type as TensorType, dims: tensor.dims, data: tensor.data as Float32Array };
}

function readPort(port: InferenceSession.ValueMetadata): TensorPort {
  if (!port.isTensor) return { name: port.name, type: 'other', dims: [] };
  const dims = port.shape.map((size) => (typeof size === 'number' ? size : -1));
  return { name: port.name, type: port.type, dims };
}
