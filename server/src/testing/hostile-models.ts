import { ProtoWriter } from '#engine/convert/protobuf.ts';

// Networks that no exporter writes; built from bare protobuf fields (onnx.proto3).

type Dims = readonly (number | string)[];

const port = (name: string, type: number, dims: Dims): ProtoWriter => {
  const shape = new ProtoWriter();
  for (const size of dims)
    shape.message(
      1,
      typeof size === 'number' ? new ProtoWriter().int(1, size) : new ProtoWriter().text(2, size),
    );
  const tensor = new ProtoWriter().int(1, type).message(2, shape);
  return new ProtoWriter().text(1, name).message(2, new ProtoWriter().message(1, tensor));
};

interface NodeOptions {
  domain?: string;
  ints?: Record<string, number>;
  graph?: ProtoWriter;
  tensor?: ProtoWriter;
}

function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  options: NodeOptions = {},
): ProtoWriter {
  const out = new ProtoWriter();
  for (const name of inputs) out.text(1, name);
  for (const name of outputs) out.text(2, name);
  out.text(3, `${op}_${outputs[0]}`).text(4, op);
  for (const [name, value] of Object.entries(options.ints ?? {}))
    out.message(5, new ProtoWriter().text(1, name).int(3, value).int(20, 2));
  if (options.graph) out.message(5, new ProtoWriter().text(1, 'body').message(6, options.graph).int(20, 5));
  if (options.tensor)
    out.message(5, new ProtoWriter().text(1, 'value').message(5, options.tensor).int(20, 4));
  if (options.domain) out.text(7, options.domain);
  return out;
}

const floats = (
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): ProtoWriter => {
  const out = new ProtoWriter();
  for (const size of dims) out.int(1, size);
  return out
    .int(2, 1)
    .text(8, name)
    .bytes(9, new Uint8Array(Float32Array.from(values).buffer));
};
const int64s = (name: string, values: readonly number[]): ProtoWriter =>
  new ProtoWriter()
    .int(1, values.length)
    .int(2, 7)
    .text(8, name)
    .bytes(9, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

function modelOf(parts: {
  nodes: readonly ProtoWriter[];
  weights?: readonly ProtoWriter[];
  sparse?: readonly ProtoWriter[];
  inputs?: readonly ProtoWriter[];
  outputs?: readonly ProtoWriter[];
  /** The ports stand in a second graph; readers of protobuf put the two together. */
  isSplit?: boolean;
}): Uint8Array {
  const graph = new ProtoWriter();
  const ports = parts.isSplit ? new ProtoWriter() : graph;
  for (const one of parts.nodes) graph.message(1, one);
  graph.text(2, 'hostile');
  for (const one of parts.weights ?? []) graph.message(5, one);
  for (const one of parts.sparse ?? []) graph.message(15, one);
  for (const one of parts.inputs ?? [port('pixel_values', 1, [1, 3, 8, 8])]) ports.message(11, one);
  for (const one of parts.outputs ?? [port('logits', 1, [1, 3])]) ports.message(12, one);
  const model = new ProtoWriter().int(1, 8).message(7, graph);
  if (parts.isSplit) model.message(7, ports);
  return model
    .message(8, new ProtoWriter().text(1, '').int(2, 17))
    .message(8, new ProtoWriter().text(1, 'evil.ops').int(2, 1))
    .finish();
}

const channelMeans = [
  node('GlobalAveragePool', ['pixel_values'], ['pooled']),
  node('Flatten', ['pooled'], ['means'], { ints: { axis: 1 } }),
];

/** Three floats, called `outside`, that lie in a file named by `location`. */
function outside(location: string, length: number): ProtoWriter {
  const pair = (key: string, value: string) => new ProtoWriter().text(1, key).text(2, value);
  return new ProtoWriter()
    .int(1, 3)
    .int(2, 1)
    .text(8, 'outside')
    .message(13, pair('location', location))
    .message(13, pair('offset', '0'))
    .message(13, pair('length', String(length)))
    .int(14, 1);
}

const withOutside = node('Add', ['means', 'outside'], ['logits']);

/** Weights that lie in a file named by `location`. */
export const externalNetwork = (location: string, length = 12): Uint8Array =>
  modelOf({ nodes: [...channelMeans, withOutside], weights: [outside(location, length)] });

/** The same with the weights as the value of a constant, inside of an operator. */
export const externalConstant = (location: string): Uint8Array =>
  modelOf({
    nodes: [
      ...channelMeans,
      node('Constant', [], ['outside'], { tensor: outside(location, 12) }),
      withOutside,
    ],
  });

/** The same with sparse weights: their values lie outside, and where they go stands here. */
export const externalSparse = (location: string): Uint8Array =>
  modelOf({
    nodes: [...channelMeans, withOutside],
    sparse: [
      new ProtoWriter()
        .message(1, outside(location, 12))
        .message(2, int64s('places', [0, 1, 2]))
        .int(3, 3),
    ],
  });

/** The same with the weights in the first of two graphs. */
export const externalSplit = (location: string): Uint8Array =>
  modelOf({ nodes: [...channelMeans, withOutside], weights: [outside(location, 12)], isSplit: true });

export const customNetwork = (): Uint8Array =>
  modelOf({ nodes: [...channelMeans, node('Exec', ['means'], ['logits'], { domain: 'evil.ops' })] });

export const hugeWeights = (): Uint8Array =>
  modelOf({
    nodes: [...channelMeans, node('Add', ['means', 'huge'], ['logits'])],
    weights: [
      new ProtoWriter()
        .int(1, 2 ** 40)
        .int(1, 2 ** 40)
        .int(2, 1)
        .text(8, 'huge')
        .bytes(9, new Uint8Array(12)),
    ],
  });

export const stringNetwork = (): Uint8Array =>
  modelOf({
    nodes: [...channelMeans, node('Identity', ['means'], ['logits'])],
    inputs: [port('pixel_values', 1, [1, 3, 8, 8]), port('names', 8, [1])],
  });

/**
 * The means of the channels of a picture (0..1), after as many rounds of a loop as its brightest spot beyond `quiet`
 * says: dark pictures are answered at once, white ones never. With `ports` it stands in for a built-in network: bytes
 * [1, edge, edge, 3] in, a row of floats out, under the names given.
 */
export function loopNetwork(
  quiet: number,
  ports?: { input: string; edge: number; output: string },
): Uint8Array {
  const width = ports?.edge ?? 3;
  const body = new ProtoWriter()
    .message(1, node('Identity', ['cond_in'], ['cond_out']))
    .message(1, node('Sin', ['x_in'], ['x_out']))
    .text(2, 'body')
    .message(11, port('round', 7, []))
    .message(11, port('cond_in', 9, []))
    .message(11, port('x_in', 1, [1, width]))
    .message(12, port('cond_out', 9, []))
    .message(12, port('x_out', 1, [1, width]));
  return modelOf({
    nodes: [
      ...(ports ? [node('Cast', [ports.input], ['pixel_values'], { ints: { to: 1 } })] : []),
      ...channelMeans,
      node('ReduceMax', ['pixel_values'], ['brightest'], { ints: { keepdims: 0 } }),
      node('Sub', ['brightest', 'quiet'], ['beyond']),
      node('Relu', ['beyond'], ['above']),
      node('Mul', ['above', 'many'], ['rounds_f']),
      node('Squeeze', ['rounds_f'], ['rounds_s']),
      node('Cast', ['rounds_s'], ['rounds'], { ints: { to: 7 } }),
      node('Loop', ['rounds', '', 'means'], ['looped'], { graph: body }),
      node('Mul', ['looped', 'zero'], ['nothing']),
      node('Add', ['means', 'nothing'], [ports?.output ?? 'logits']),
    ],
    weights: [floats('quiet', [quiet]), floats('many', [1e15]), floats('zero', [0])],
    ...(ports && {
      inputs: [port(ports.input, 2, [1, ports.edge, ports.edge, 3])],
      outputs: [port(ports.output, 1, [1, width])],
    }),
  });
}

/** Fills memory of gigabytes when the brightest spot of a picture lies beyond `quiet`. */
export function hungryNetwork(quiet: number): Uint8Array {
  return modelOf({
    nodes: [
      ...channelMeans,
      node('ReduceMax', ['pixel_values'], ['brightest'], { ints: { keepdims: 0 } }),
      node('Sub', ['brightest', 'quiet'], ['beyond']),
      node('Relu', ['beyond'], ['above']),
      node('Mul', ['above', 'many'], ['count_f']),
      node('Cast', ['count_f'], ['count'], { ints: { to: 7 } }),
      node('Concat', ['count', 'width'], ['shape'], { ints: { axis: 0 } }),
      node('Expand', ['one', 'shape'], ['filled']),
      node('Exp', ['filled'], ['grown']),
      node('ReduceSum', ['grown'], ['sum'], { ints: { keepdims: 0 } }),
      node('Mul', ['sum', 'zero'], ['nothing']),
      node('Add', ['means', 'nothing'], ['logits']),
    ],
    weights: [
      floats('quiet', [quiet]),
      floats('many', [400_000]),
      floats('zero', [0]),
      floats('one', [1]),
      int64s('width', [100_000]),
    ],
  });
}
