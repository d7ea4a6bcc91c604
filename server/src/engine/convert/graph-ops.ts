import type { OpContext } from './graph-node.ts';
import type { Attribute, OnnxGraph } from './onnx-graph.ts';
import type { Weight } from './tfjs-weights.ts';

type Translate = (context: OpContext) => string | string[];

const toChannelsFirst = [0, 3, 1, 2];
const toChannelsLast = [0, 2, 3, 1];

const binary =
  (op: string): Translate =>
  ({ graph, input }) =>
    graph.node(op, [input(0), input(1)]);

const unary =
  (op: string, attributes: Record<string, Attribute> = {}): Translate =>
  ({ graph, input }) =>
    graph.node(op, [input(0)], attributes);

/**
 * How each TensorFlow operator reads in ONNX. Tensors are channels-last on both sides of every entry.
 *
 * Integer division is exact here because both operands are never negative in the graphs that we carry.
 */
export const graphOps: Readonly<Record<string, Translate>> = {
  Add: binary('Add'),
  AddV2: binary('Add'),
  BiasAdd: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  RealDiv: binary('Div'),
  FloorDiv: binary('Div'),
  Minimum: binary('Min'),
  Maximum: binary('Max'),
  Relu: unary('Relu'),
  Relu6: ({ graph, input }) => relu6(graph, input(0)),
  Sigmoid: unary('Sigmoid'),
  Sqrt: unary('Sqrt'),
  Identity: unary('Identity'),
  Softmax: unary('Softmax', { axis: -1 }),
  Prelu: binary('PRelu'),
  SquaredDifference: ({ graph, input }) => {
    const difference = graph.node('Sub', [input(0), input(1)]);
    return graph.node('Mul', [difference, difference]);
  },
  Conv2D: convolution,
  _FusedConv2D: convolution,
  DepthwiseConv2dNative: convolution,
  FusedDepthwiseConv2dNative: convolution,
  _FusedMatMul: fusedMatMul,
  MatMul: binary('MatMul'),
  MaxPool: maxPool,
  ResizeBilinear: resizeBilinear,
  Mean: ({ graph, node, input, constant }) =>
    graph.node('ReduceMean', [input(0)], {
      axes: numbers(constant(1)),
      keepdims: flag(node.attr?.['keep_dims']?.b),
    }),
  Pad: ({ graph, input, constant }) => {
    const pairs = numbers(constant(1));
    const pads = [
      ...pairs.filter((_, index) => index % 2 === 0),
      ...pairs.filter((_, index) => index % 2 === 1),
    ];
    return graph.node('Pad', [input(0), graph.int64s(pads)]);
  },
  Reshape: ({ graph, input, constant }) =>
    graph.node('Reshape', [input(0), graph.int64s(numbers(constant(1)))]),
  ExpandDims: ({ graph, input, constant }) =>
    graph.node('Unsqueeze', [input(0), graph.int64s([first(numbers(constant(1)))])]),
  Squeeze: ({ graph, node, input }) => {
    const axes = (node.attr?.['squeeze_dims']?.list?.i ?? []).map(Number);
    return graph.node('Squeeze', axes.length ? [input(0), graph.int64s(axes)] : [input(0)]);
  },
  ConcatV2: ({ graph, input, inputCount, constant }) =>
    graph.node('Concat', range(inputCount - 1).map(input), {
      axis: first(numbers(constant(inputCount - 1))),
    }),
  Pack: ({ graph, node, input, inputCount }) => {
    const axis = Number(node.attr?.['axis']?.i ?? 0);
    const parts = range(inputCount).map((index) =>
      graph.node('Unsqueeze', [input(index), graph.int64s([axis])]),
    );
    return graph.node('Concat', parts, { axis });
  },
  Unpack: ({ graph, node, input }) => {
    const axis = Number(node.attr?.['axis']?.i ?? 0);
    const count = Number(node.attr?.['num']?.i ?? 1);
    const parts = count === 1 ? [input(0)] : graph.nodes('Split', [input(0)], count, { axis });
    return parts.map((part) => graph.node('Squeeze', [part, graph.int64s([axis])]));
  },
  ArgMax: ({ graph, input, constant }) => {
    const index = graph.node('ArgMax', [input(0)], { axis: first(numbers(constant(1))), keepdims: 0 });
    return graph.node('Cast', [index], { to: onnxInt32 });
  },
  GatherNd: ({ graph, input }) =>
    graph.node('GatherND', [input(0), graph.node('Cast', [input(1)], { to: onnxInt64 })]),
  Cast: ({ graph, node, input }) => {
    const to = node.attr?.['DstT']?.type;
    if (to !== 'DT_FLOAT' && to !== 'DT_INT32')
      throw new Error(`cast to ${to} of ${node.name} is not translated`);
    return graph.node('Cast', [input(0)], { to: to === 'DT_FLOAT' ? onnxFloat : onnxInt32 });
  },
};

const onnxFloat = 1;
const onnxInt32 = 6;
const onnxInt64 = 7;

/** Conv2D and its depthwise and fused forms: kernel re-ordered, then bias and activation from `fused_ops`. */
function convolution({ graph, node, input, constant, maybeConstant, inputCount }: OpContext): string {
  const depthwise = node.op.includes('Depthwise');
  const kernel = constant(1);
  const [height = 1, width = 1, inChannels = 1] = kernel.shape;
  const fused = (node.attr?.['fused_ops']?.list?.s ?? []).map(fromBase64);
  const bias = fused[0] === 'BiasAdd' ? maybeConstant(2) : undefined;
  if (fused[0] === 'BiasAdd' && !bias) throw new Error(`the bias of ${node.name} must be a constant`);

  const weights = depthwise ? depthwiseKernel(kernel) : denseKernel(kernel);
  const strides = spatial(node.attr?.['strides']?.list?.i);
  const dilations = spatial(node.attr?.['dilations']?.list?.i);
  const inputs = [
    graph.node('Transpose', [input(0)], { perm: toChannelsFirst }),
    graph.floats(weights.data, weights.dims),
  ];
  if (bias) inputs.push(graph.floats(Float32Array.from(bias.data), [bias.data.length]));
  const result = graph.node('Conv', inputs, {
    kernel_shape: [height, width],
    strides,
    dilations,
    group: depthwise ? inChannels : 1,
    ...padding(fromBase64(node.attr?.['padding']?.s ?? ''), [height, width], strides, dilations),
  });
  const back = graph.node('Transpose', [result], { perm: toChannelsLast });
  return activated(graph, back, fused.at(-1), inputCount > 3 ? () => input(3) : undefined);
}

function activated(graph: OnnxGraph, value: string, name: string | undefined, slope?: () => string): string {
  switch (name) {
    case undefined:
    case 'BiasAdd':
      return value;
    case 'Relu':
      return graph.node('Relu', [value]);
    case 'Relu6':
      return relu6(graph, value);
    case 'Sigmoid':
      return graph.node('Sigmoid', [value]);
    case 'Prelu':
      if (slope) return graph.node('PRelu', [value, slope()]);
  }
  throw new Error(`the fused activation ${name} is not translated`);
}

function fusedMatMul({ graph, node, input }: OpContext): string {
  const fused = (node.attr?.['fused_ops']?.list?.s ?? []).map(fromBase64);
  const product = graph.node('MatMul', [input(0), input(1)]);
  const sum = fused[0] === 'BiasAdd' ? graph.node('Add', [product, input(2)]) : product;
  return activated(graph, sum, fused.at(-1));
}

function maxPool({ graph, node, input }: OpContext): string {
  const size = spatial(node.attr?.['ksize']?.list?.i);
  const strides = spatial(node.attr?.['strides']?.list?.i);
  const turned = graph.node('Transpose', [input(0)], { perm: toChannelsFirst });
  const pooled = graph.node('MaxPool', [turned], {
    kernel_shape: size,
    strides,
    ...padding(fromBase64(node.attr?.['padding']?.s ?? ''), size, strides, [1, 1]),
  });
  return graph.node('Transpose', [pooled], { perm: toChannelsLast });
}

function resizeBilinear({ graph, node, input, constant }: OpContext): string {
  const [height = 1, width = 1] = numbers(constant(1));
  const turned = graph.node('Transpose', [input(0)], { perm: toChannelsFirst });
  const shape = graph.node('Shape', [turned], { start: 0, end: 2 });
  const sizes = graph.node('Concat', [shape, graph.int64s([height, width])], { axis: 0 });
  const resized = graph.node('Resize', [turned, '', '', sizes], {
    mode: 'linear',
    coordinate_transformation_mode: node.attr?.['align_corners']?.b
      ? 'align_corners'
      : node.attr?.['half_pixel_centers']?.b
        ? 'half_pixel'
        : 'asymmetric',
  });
  return graph.node('Transpose', [resized], { perm: toChannelsLast });
}

/** Explicit where the picture's size does not matter; SAME with a stride depends on it and is left to ONNX. */
function padding(
  kind: string,
  size: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Record<string, Attribute> {
  if (kind === 'VALID') return { pads: [0, 0, 0, 0] };
  if (kind !== 'SAME') throw new Error(`the padding ${kind} is not translated`);
  if (strides.some((stride) => stride !== 1)) return { auto_pad: 'SAME_UPPER' };
  const total = size.map((edge, index) => (edge - 1) * (dilations[index] ?? 1));
  const before = total.map((amount) => Math.floor(amount / 2));
  return { pads: [...before, ...total.map((amount, index) => amount - (before[index] ?? 0))] };
}

/** [h, w, in, out] -> [out, in, h, w] */
export function denseKernel(kernel: Weight): { data: Float32Array; dims: number[] } {
  const [height = 1, width = 1, inputs = 1, outputs = 1] = kernel.shape;
  const data = new Float32Array(kernel.data.length);
  let source = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < inputs; i++) {
        for (let o = 0; o < outputs; o++) {
          data[((o * inputs + i) * height + y) * width + x] = kernel.data[source++] as number;
        }
      }
    }
  }
  return { data, dims: [outputs, inputs, height, width] };
}

/** [h, w, channel, multiplier] -> [channel * multiplier, 1, h, w] */
export function depthwiseKernel(kernel: Weight): { data: Float32Array; dims: number[] } {
  const [height = 1, width = 1, channels = 1, multiplier = 1] = kernel.shape;
  const outputs = channels * multiplier;
  const turned = denseKernel({ shape: [height, width, 1, outputs], data: kernel.data });
  return { data: turned.data, dims: [outputs, 1, height, width] };
}

function relu6(graph: OnnxGraph, value: string): string {
  return graph.node('Clip', [value, graph.floats([0], []), graph.floats([6], [])]);
}

/** The two middle entries of a channels-last [n, h, w, c] list. */
function spatial(list: readonly string[] | undefined): number[] {
  return list ? [Number(list[1]), Number(list[2])] : [1, 1];
}

function numbers(weight: Weight): number[] {
  return Array.from(weight.data);
}

function first(values: readonly number[]): number {
  return values[0] ?? 0;
}

function flag(value: boolean | undefined): number {
  return value ? 1 : 0;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('latin1');
}
