import type { OnnxGraph } from './onnx-graph.ts';
import type { Weight } from './tfjs-weights.ts';

/** A node of a TensorFlow.js graph model, as its JSON spells it. */
export interface GraphNode {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, GraphAttribute>;
}

export interface GraphAttribute {
  i?: string;
  b?: boolean;
  f?: number;
  s?: string;
  type?: string;
  list?: { i?: string[]; s?: string[] };
}

export interface GraphModel {
  nodes: readonly GraphNode[];
  weights: ReadonlyMap<string, Weight>;
}

/** What one operator needs to translate itself. */
export interface OpContext {
  graph: OnnxGraph;
  node: GraphNode;
  /** Name in the new graph of the n-th data input. */
  input(index: number): string;
  /** The n-th input's numbers, which must be known at conversion time. */
  constant(index: number): Weight;
  /** The constant's numbers, or undefined for a value computed at run time. */
  maybeConstant(index: number): Weight | undefined;
  inputCount: number;
}
