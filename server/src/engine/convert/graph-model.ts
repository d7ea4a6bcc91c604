import type { GraphModel, GraphNode, OpContext } from './graph-node.ts';
import { graphOps } from './graph-ops.ts';
import type { OnnxGraph } from './onnx-graph.ts';
import type { Weight } from './tfjs-weights.ts';

/**
 * Adds the part of a graph model that `wanted` depends on to an ONNX graph, keeping TensorFlow's
 * channels-last meaning everywhere; the runtime's optimiser removes the transposes that this costs.
 *
 * @param feeds placeholder name -> value that stands for it in the new graph
 * @param wanted names of nodes whose first output is wanted
 * @returns name of the value for each wanted node, in order
 * @throws when a node uses an operator that we do not translate
 */
export function addGraphModel(
  graph: OnnxGraph,
  model: GraphModel,
  feeds: Readonly<Record<string, string>>,
  wanted: readonly string[],
): string[] {
  const nodes = new Map(model.nodes.map((node) => [node.name, node]));
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(feeds)) values.set(name, value);

  const weightOf = (name: string): Weight | undefined =>
    nodes.get(name)?.op === 'Const' ? model.weights.get(name) : undefined;

  for (const node of inOrder(nodes, wanted)) {
    if (values.has(node.name)) continue;
    const translate = graphOps[node.op];
    if (!translate) throw new Error(`operator ${node.op} of node ${node.name} is not translated`);
    const inputs = (node.input ?? []).filter((name) => !name.startsWith('^'));
    const context: OpContext = {
      graph,
      node,
      inputCount: inputs.length,
      input: (index) => valueFor(values, weightOf, graph, inputs[index] ?? '', node.name),
      constant: (index) => {
        const found = weightOf(inputs[index] ?? '');
        if (!found) throw new Error(`input ${index} of ${node.name} must be a constant`);
        return found;
      },
      maybeConstant: (index) => weightOf(inputs[index] ?? ''),
    };
    const made = translate(context);
    const outputs = typeof made === 'string' ? [made] : made;
    outputs.forEach((value, index) => {
      values.set(index === 0 ? node.name : `${node.name}:${index}`, value);
    });
  }
  return wanted.map((name) => valueFor(values, weightOf, graph, name, name));
}

function valueFor(
  values: Map<string, string>,
  weightOf: (name: string) => Weight | undefined,
  graph: OnnxGraph,
  name: string,
  user: string,
): string {
  const key = name.endsWith(':0') ? name.slice(0, -2) : name;
  const known = values.get(key);
  if (known) return known;
  const weight = weightOf(key);
  if (!weight) throw new Error(`${user} reads ${name}, which nothing produces`);
  const { data, shape } = weight;
  const made = data instanceof Int32Array ? graph.int32s(data, shape) : graph.floats(data, shape);
  values.set(key, made);
  return made;
}

/** The ancestors of `wanted`, each after its inputs; constants left out. Iterative, as graphs are deep. */
function inOrder(nodes: ReadonlyMap<string, GraphNode>, wanted: readonly string[]): GraphNode[] {
  const done = new Set<string>();
  const order: GraphNode[] = [];
  const stack = [...wanted].reverse().map((name) => ({ name, entered: false }));
  for (let step = stack.pop(); step; step = stack.pop()) {
    const { name, entered } = step;
    const node = nodes.get(name);
    if (!node) throw new Error(`the model has no node ${name}`);
    if (done.has(name) || node.op === 'Const') continue;
    if (entered) {
      done.add(name);
      order.push(node);
      continue;
    }
    stack.push({ name, entered: true });
    for (const input of node.input ?? []) {
      if (!input.startsWith('^')) stack.push({ name: input.split(':')[0] as string, entered: false });
    }
  }
  return order;
}
