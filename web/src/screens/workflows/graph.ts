import type { ModelType, Workflow } from '@fovea/contract/rest';

/** A node as it is edited: which model, fed by which other nodes. */
export interface GraphNode {
  readonly id: string;
  readonly model: {
    readonly id: string;
    readonly userId: string;
    readonly appId: string;
    /** Empty: the latest when the workflow is saved. */
    readonly versionId: string;
    readonly typeId: string;
    readonly name: string;
  };
  /** Ids of nodes; none: the input of the workflow itself. */
  readonly inputs: readonly string[];
  readonly isSuppressed: boolean;
}

export interface Graph {
  readonly id: string;
  readonly description: string;
  readonly nodes: readonly GraphNode[];
}

export const graphOf = (workflow: Workflow): Graph => ({
  id: workflow.id ?? '',
  description: workflow.description ?? '',
  nodes: (workflow.version?.nodes ?? workflow.nodes ?? []).map(
    ({ id, model, node_inputs, suppress_output }) => ({
      id: id ?? '',
      model: {
        id: model?.id ?? '',
        userId: model?.user_id ?? '',
        appId: model?.app_id ?? '',
        versionId: model?.model_version?.id ?? '',
        typeId: model?.model_type_id ?? '',
        name: model?.name || (model?.id ?? ''),
      },
      inputs: (node_inputs ?? []).flatMap(({ node_id }) => node_id ?? []),
      isSuppressed: suppress_output ?? false,
    }),
  ),
});

/** The graph as the contract says it. */
export const workflowOf = (graph: Graph): Workflow => ({
  id: graph.id,
  description: graph.description,
  nodes: graph.nodes.map(({ id, model, inputs, isSuppressed }) => ({
    id,
    model: {
      id: model.id,
      user_id: model.userId,
      app_id: model.appId,
      ...(model.versionId ? { model_version: { id: model.versionId } } : {}),
    },
    ...(inputs.length > 0 ? { node_inputs: inputs.map((node_id) => ({ node_id })) } : {}),
    ...(isSuppressed ? { suppress_output: true } : {}),
  })),
});

/** What flows along a wire, in one word: the beginning of a field's path. */
const kindOf = (field: string): string =>
  field.startsWith('frames') ? 'frames' : (field.split(/[[.]/)[0] ?? field);

/** Kinds that a type takes or gives; a comma stands between alternatives. */
export const kindsOf = (fields: readonly string[] | undefined): readonly string[] => [
  ...new Set((fields ?? []).flatMap((field) => field.split(',')).map((field) => kindOf(field.trim()))),
];

/**
 * What a type looks for, one kind of which is enough, as the server sees it: regions where it takes them, and pictures
 * where it takes embeddings, for it embeds them itself.
 */
export function wantedBy(type: ModelType | undefined): readonly string[] {
  const taken = kindsOf(type?.input_fields);
  if (taken.includes('regions') || taken.includes('frames')) return ['regions', 'frames'];
  return taken.includes('embeddings') ? [...new Set([...taken, 'image'])] : taken;
}

/** What comes into a workflow from outside. */
const raw = ['image', 'text', 'video', 'audio', 'any'];

/** Whether a type finds nothing that it takes in what comes into a workflow: it has to follow another. */
export const mustFollow = (type: ModelType | undefined): boolean =>
  type !== undefined && !wantedBy(type).some((kind) => raw.includes(kind));

/**
 * Whether what one model gives is something that another takes. A model that looks at pictures may follow one that
 * finds regions: it looks at each of them. `any` fits everything. The server has the last word.
 */
export function fits(from: ModelType | undefined, to: ModelType | undefined): boolean {
  if (!from || !to) return true;
  const given = kindsOf(from.output_fields);
  const taken = wantedBy(to);
  if (given.includes('any') || taken.includes('any')) return true;
  if (taken.includes('image') && given.includes('regions')) return true;
  return given.some((kind) => taken.includes(kind));
}

/** Whether a wire would close a ring. */
export function closesRing(nodes: readonly GraphNode[], from: string, to: string): boolean {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  const reaches = (id: string): boolean => {
    if (id === to) return true;
    if (seen.has(id)) return false;
    seen.add(id);
    return (byId.get(id)?.inputs ?? []).some(reaches);
  };
  return reaches(from);
}

/** An id for a new node that no other has. */
export function freeNodeId(nodes: readonly GraphNode[], wanted: string): string {
  const base = wanted.replaceAll(/[^A-Za-z0-9_-]+/g, '-').slice(0, 40) || 'node';
  const taken = new Set(nodes.map(({ id }) => id));
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`;
    if (!taken.has(id)) return id;
  }
}

export const withoutNode = (nodes: readonly GraphNode[], gone: string): readonly GraphNode[] =>
  nodes
    .filter(({ id }) => id !== gone)
    .map((node) => ({ ...node, inputs: node.inputs.filter((id) => id !== gone) }));
