import { workflowFault } from './faults.ts';

export interface GraphNode {
  readonly id: string;
  readonly inputs: readonly string[];
}

/**
 * Order in which nodes can run: the order given wherever that already works, because clients read outputs by
 * their position (SEMANTICS trap 41); else every node as early as it can.
 *
 * @throws Fault 22104 for ids that are empty or used twice · 22107 for inputs nobody makes, and for cycles
 */
export function runningOrder<Node extends GraphNode>(nodes: readonly Node[]): Node[] {
  const ids = new Set<string>();
  for (const { id } of nodes) {
    if (id === '') throw workflowFault.invalid('nodes[].id is empty; every node needs an id of its own.');
    if (ids.has(id)) throw workflowFault.invalid(`nodes[].id: two nodes are called '${id}'.`);
    ids.add(id);
  }
  for (const { id, inputs } of nodes) {
    const unknown = inputs.find((input) => !ids.has(input));
    if (unknown !== undefined)
      throw workflowFault.badGraph(`nodes: '${id}' takes the output of '${unknown}', which is no node.`);
  }
  const ordered: Node[] = [];
  const done = new Set<string>();
  const waiting = [...nodes];
  while (waiting.length > 0) {
    const at = waiting.findIndex(({ inputs }) => inputs.every((input) => done.has(input)));
    if (at < 0)
      throw workflowFault.badGraph(
        `nodes: ${waiting.map(({ id }) => `'${id}'`).join(', ')} wait for each other in a circle.`,
      );
    const [next] = waiting.splice(at, 1) as [Node];
    done.add(next.id);
    ordered.push(next);
  }
  return ordered;
}
