import { denseKernel, depthwiseKernel } from './graph-ops.ts';
import type { Attribute, OnnxGraph } from './onnx-graph.ts';
import type { Weight } from './tfjs-weights.ts';

/** One layer of a Keras model, as its JSON spells it. */
export interface Layer {
  name: string;
  class_name: string;
  config: LayerConfig;
  inbound_nodes: [string, number, number, unknown][][];
}

export interface LayerConfig {
  activation?: string;
  use_bias?: boolean;
  padding?: string | number[][];
  strides?: number[];
  pool_size?: number[];
  dilation_rate?: number[];
  epsilon?: number;
  max_value?: number | null;
}

interface LayerContext {
  graph: OnnxGraph;
  layer: Layer;
  inputs: readonly string[];
  weight(part: string): Weight;
}

type Translate = (context: LayerContext) => string;

/**
 * Adds a Keras "layers" model to an ONNX graph. The picture is turned channels-first once and stays so.
 *
 * @param picture value of shape [n, h, w, c] that stands for the model's only input
 * @param wanted name of the layer whose output is wanted
 * @returns name of that output's value, [n, units] after a Dense layer
 * @throws when a layer class is not translated
 */
export function addLayersModel(
  graph: OnnxGraph,
  layers: readonly Layer[],
  weights: ReadonlyMap<string, Weight>,
  picture: string,
  wanted: string,
): string {
  const values = new Map<string, string>();
  for (const layer of layers) {
    const inputs = (layer.inbound_nodes[0] ?? []).map(([name]) => values.get(name) ?? '');
    const translate = layerClasses[layer.class_name];
    if (!translate) throw new Error(`layer class ${layer.class_name} of ${layer.name} is not translated`);
    const weight = (part: string) => {
      const found = weights.get(`${layer.name}/${part}`);
      if (!found) throw new Error(`layer ${layer.name} has no weight ${part}`);
      return found;
    };
    const sources = layer.class_name === 'InputLayer' ? [picture] : inputs;
    const made = activated(
      graph,
      translate({ graph, layer, inputs: sources, weight }),
      layer.config.activation,
    );
    values.set(layer.name, made);
  }
  const result = values.get(wanted);
  if (!result) throw new Error(`the model has no layer ${wanted}`);
  return result;
}

const layerClasses: Readonly<Record<string, Translate>> = {
  InputLayer: ({ graph, inputs }) => graph.node('Transpose', inputs, { perm: [0, 3, 1, 2] }),
  Dropout: ({ inputs }) => inputs[0] as string,
  Add: ({ graph, inputs }) => graph.node('Add', inputs),
  ReLU: ({ graph, layer, inputs }) => {
    const max = layer.config.max_value;
    return max == null
      ? graph.node('Relu', inputs)
      : graph.node('Clip', [...inputs, graph.floats([0], []), graph.floats([max], [])]);
  },
  ZeroPadding2D: ({ graph, layer, inputs }) => {
    const [[top = 0, bottom = 0] = [], [left = 0, right = 0] = []] = layer.config.padding as number[][];
    return graph.node('Pad', [...inputs, graph.int64s([0, 0, top, left, 0, 0, bottom, right])]);
  },
  Conv2D: ({ graph, layer, inputs, weight }) =>
    convolution(graph, layer, inputs, denseKernel(weight('kernel')), weight),
  DepthwiseConv2D: ({ graph, layer, inputs, weight }) =>
    convolution(graph, layer, inputs, depthwiseKernel(weight('depthwise_kernel')), weight, true),
  BatchNormalization: ({ graph, layer, inputs, weight }) => {
    const parts = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((part) => {
      const { data } = weight(part);
      return graph.floats(Float32Array.from(data), [data.length]);
    });
    return graph.node('BatchNormalization', [...inputs, ...parts], {
      epsilon: { float: layer.config.epsilon ?? 1e-3 },
    });
  },
  AveragePooling2D: ({ graph, layer, inputs }) =>
    graph.node('AveragePool', inputs, {
      kernel_shape: layer.config.pool_size ?? [2, 2],
      strides: layer.config.strides ?? [2, 2],
      ...padding(layer),
    }),
  Flatten: ({ graph, inputs }) => {
    const turned = graph.node('Transpose', inputs, { perm: [0, 2, 3, 1] });
    return graph.node('Flatten', [turned], { axis: 1 });
  },
  Dense: ({ graph, layer, inputs, weight }) => {
    const kernel = weight('kernel');
    const product = graph.node('MatMul', [
      ...inputs,
      graph.floats(Float32Array.from(kernel.data), kernel.shape),
    ]);
    if (!layer.config.use_bias) return product;
    const bias = weight('bias');
    return graph.node('Add', [product, graph.floats(Float32Array.from(bias.data), bias.shape)]);
  },
};

function convolution(
  graph: OnnxGraph,
  layer: Layer,
  inputs: readonly string[],
  kernel: { data: Float32Array; dims: number[] },
  weight: (part: string) => Weight,
  depthwise = false,
): string {
  const bias = layer.config.use_bias ? weight('bias') : undefined;
  const parts = [...inputs, graph.floats(kernel.data, kernel.dims)];
  if (bias) parts.push(graph.floats(Float32Array.from(bias.data), bias.shape));
  return graph.node('Conv', parts, {
    kernel_shape: kernel.dims.slice(2),
    strides: layer.config.strides ?? [1, 1],
    dilations: layer.config.dilation_rate ?? [1, 1],
    group: depthwise ? (kernel.dims[0] ?? 1) : 1,
    ...padding(layer),
  });
}

function padding(layer: Layer): Record<string, Attribute> {
  return layer.config.padding === 'same' ? { auto_pad: 'SAME_UPPER' } : { pads: [0, 0, 0, 0] };
}

function activated(graph: OnnxGraph, value: string, activation = 'linear'): string {
  switch (activation) {
    case 'linear':
      return value;
    case 'relu':
      return graph.node('Relu', [value]);
    case 'softmax':
      return graph.node('Softmax', [value], { axis: -1 });
    default:
      throw new Error(`the activation ${activation} is not translated`);
  }
}
