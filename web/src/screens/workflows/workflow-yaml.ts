import { parse, stringify } from 'yaml';
import type { Graph, GraphNode } from './graph.ts';

interface YamlNode {
  readonly id?: unknown;
  readonly model?: Readonly<Record<string, unknown>>;
  readonly node_inputs?: readonly { readonly node_id?: unknown }[];
  readonly suppress_output?: unknown;
}

/** A workflow in the YAML that the official SDKs read and write. What a graph does not show is kept from `before`. */
export function yamlOf(graph: Graph): string {
  const nodes = graph.nodes.map(({ id, model, inputs, isSuppressed }) => ({
    id,
    model: {
      model_id: model.id,
      ...(model.versionId ? { model_version_id: model.versionId } : {}),
      ...(model.userId && model.appId ? { user_id: model.userId, app_id: model.appId } : {}),
    },
    ...(inputs.length > 0 ? { node_inputs: inputs.map((node_id) => ({ node_id })) } : {}),
    ...(isSuppressed ? { suppress_output: true } : {}),
  }));
  return stringify({
    workflow: { id: graph.id, ...(graph.description ? { description: graph.description } : {}), nodes },
  });
}

/** Why a text is no workflow: the key of a message and what it is about. */
export class YamlTrouble extends Error {
  readonly about: string;

  constructor(key: string, about = '') {
    super(key);
    this.about = about;
  }
}

/**
 * @param known models by `user/app/id`, for the types and names that YAML does not say
 * @throws YamlTrouble
 */
export function graphFromYaml(
  text: string,
  before: Graph,
  known: ReadonlyMap<string, GraphNode['model']>,
): Graph {
  let read: unknown;
  try {
    read = parse(text);
  } catch (thrown) {
    throw new YamlTrouble('workflow.yaml.unreadable', thrown instanceof Error ? thrown.message : '');
  }
  const workflow = (read as { workflow?: { id?: unknown; description?: unknown; nodes?: unknown } } | null)
    ?.workflow;
  if (!workflow || !Array.isArray(workflow.nodes)) throw new YamlTrouble('workflow.yaml.noNodes');
  const nodes = (workflow.nodes as readonly YamlNode[]).map((node): GraphNode => {
    const id = String(node.id ?? '');
    const { model_id, model_version_id, user_id, app_id } = node.model ?? {};
    if (id === '' || typeof model_id !== 'string') throw new YamlTrouble('workflow.yaml.badNode', id);
    const [userId, appId] = [String(user_id ?? 'clarifai'), String(app_id ?? 'main')];
    const model = known.get(`${userId}/${appId}/${model_id}`);
    return {
      id,
      model: {
        id: model_id,
        userId,
        appId,
        versionId: String(model_version_id ?? ''),
        typeId: model?.typeId ?? '',
        name: model?.name ?? model_id,
      },
      inputs: (node.node_inputs ?? []).map(({ node_id }) => String(node_id ?? '')),
      isSuppressed: node.suppress_output === true,
    };
  });
  const ids = new Set<string>();
  for (const { id } of nodes) {
    if (ids.has(id)) throw new YamlTrouble('workflow.yaml.sameNode', id);
    ids.add(id);
  }
  for (const { inputs } of nodes)
    for (const input of inputs)
      if (!ids.has(input)) throw new YamlTrouble('workflow.yaml.unknownNode', input);
  return {
    id: before.id || String(workflow.id ?? ''),
    description: String(workflow.description ?? before.description),
    nodes,
  };
}
