import { ProtoWriter } from './protobuf.ts';

/** Element types of ONNX that we use, by their number in onnx.proto3. */
export const elementType = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementType;

export type Attribute = number | string | readonly number[] | { float: number };
type Dimension = number | string;

interface Port {
  name: string;
  type: ElementType;
  shape: readonly Dimension[];
}

interface Node {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Record<string, Attribute>;
}

interface Initializer {
  type: ElementType;
  dims: readonly number[];
  raw: Uint8Array;
}

const opset = 17;
const irVersion = 8;

/**
 * An ONNX graph under construction. Every method that adds a node returns the name of its first output, so
 * calls read as expressions. Initialisers that no node uses are dropped when the file is written.
 */
export class OnnxGraph {
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  #next = 0;

  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push({ name, type, shape });
    return name;
  }

  /** Publishes `value` under a public name. */
  output(name: string, value: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#nodes.push({ op: 'Identity', inputs: [value], outputs: [name], attributes: {} });
    this.#outputs.push({ name, type, shape });
  }

  floats(values: Float32Array | readonly number[], dims: readonly number[]): string {
    const data = values instanceof Float32Array ? values : Float32Array.from(values);
    return this.#constant('float32', dims, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  int64s(values: readonly number[], dims: readonly number[] = [values.length]): string {
    const data = BigInt64Array.from(values, (value) => BigInt(value));
    return this.#constant('int64', dims, new Uint8Array(data.buffer));
  }

  int32s(values: Int32Array | readonly number[], dims: readonly number[]): string {
    const data = Int32Array.from(values);
    return this.#constant('int32', dims, new Uint8Array(data.buffer));
  }

  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.nodes(op, inputs, 1, attributes)[0] as string;
  }

  /** Adds a node with several outputs. */
  nodes(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: Record<string, Attribute> = {},
  ): string[] {
    const outputs = Array.from({ length: count }, () => this.#name());
    this.#nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** @returns a complete ONNX file (opset 17, IR 8) */
  finish(producer: string): Uint8Array {
    const used = new Set(this.#nodes.flatMap((node) => node.inputs));
    const graph = new ProtoWriter();
    for (const node of this.#nodes) graph.message(1, writeNode(node));
    graph.text(2, producer);
    for (const [name, tensor] of this.#initializers)
      if (used.has(name)) graph.message(5, writeTensor(name, tensor));
    for (const port of this.#inputs) graph.message(11, writePort(port));
    for (const port of this.#outputs) graph.message(12, writePort(port));
    const operators = new ProtoWriter().text(1, '').int(2, opset);
    return new ProtoWriter()
      .int(1, irVersion)
      .text(2, producer)
      .message(7, graph)
      .message(8, operators)
      .finish();
  }

  #constant(type: ElementType, dims: readonly number[], raw: Uint8Array): string {
    const name = this.#name();
    this.#initializers.set(name, { type, dims, raw });
    return name;
  }

  #name(): string {
    this.#next += 1;
    return `v${this.#next}`;
  }
}

function writeNode(node: Node): ProtoWriter {
  const out = new ProtoWriter();
  for (const name of node.inputs) out.text(1, name);
  for (const name of node.outputs) out.text(2, name);
  out.text(3, `${node.op}_${node.outputs[0]}`).text(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) out.message(5, writeAttribute(name, value));
  return out;
}

function writeAttribute(name: string, value: Attribute): ProtoWriter {
  const out = new ProtoWriter().text(1, name);
  if (typeof value === 'string') return out.text(4, value).int(20, 3);
  if (typeof value === 'number') return out.int(3, value).int(20, 2);
  if ('float' in value) return out.float(2, value.float).int(20, 1);
  for (const item of value) out.int(8, item);
  return out.int(20, 7);
}

function writeTensor(name: string, tensor: Initializer): ProtoWriter {
  const out = new ProtoWriter();
  for (const size of tensor.dims) out.int(1, size);
  return out.int(2, elementType[tensor.type]).text(8, name).bytes(9, tensor.raw);
}

function writePort(port: Port): ProtoWriter {
  const shape = new ProtoWriter();
  for (const size of port.shape) {
    shape.message(
      1,
      typeof size === 'number' ? new ProtoWriter().int(1, size) : new ProtoWriter().text(2, size),
    );
  }
  const tensor = new ProtoWriter().int(1, elementType[port.type]).message(2, shape);
  return new ProtoWriter().text(1, port.name).message(2, new ProtoWriter().message(1, tensor));
}
