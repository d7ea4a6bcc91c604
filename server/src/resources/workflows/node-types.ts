import type { WorkflowNode } from '@fovea/contract';
import { canonicalTypeId, findModelType } from '../models/index.ts';
import { workflowFault } from './faults.ts';

/** A node as far as types go: what model it runs, and whose outputs it takes. */
export interface TypedNode {
  readonly id: string;
  readonly typeId: string;
  readonly inputs: readonly string[];
}

/** What a workflow's own input may hold; a node that finds none of it with its parents looks back to it. */
const raw = ['image', 'text', 'video', 'audio'];

/**
 * Checks that every node can find what its model looks for: with the nodes it builds on, or in the workflow's input.
 * Models of types that nobody published take and give anything.
 *
 * @param nodes in running order
 * @throws Fault 22107 naming the node, what it takes and what comes to it
 */
export function checkTypes(nodes: readonly TypedNode[]): void {
  const given = new Map<string, ReadonlySet<string>>();
  const roots = nodes.filter(({ inputs }) => inputs.length === 0);
  const origin = new Set(roots.flatMap(({ typeId }) => wantedBy(typeId)));
  for (const { id, typeId, inputs } of nodes) {
    const coming = new Set(inputs.flatMap((input) => [...(given.get(input) ?? [])]));
    given.set(id, givenBy(typeId, inputs.length === 0 ? new Set(['any']) : coming));
    const wanted = wantedBy(typeId);
    if (inputs.length === 0 || wanted.includes('any') || coming.has('any')) continue;
    const finds = (kind: string) =>
      coming.has(kind) || (raw.includes(kind) && (origin.has(kind) || origin.has('any')));
    if (wanted.some(finds)) continue;
    throw workflowFault.badGraph(
      `nodes: '${id}' (${typeId}) takes ${wanted.join(' or ')}, and ${inputs.map((input) => `'${input}'`).join(' and ')} give${inputs.length === 1 ? 's' : ''} ${[...coming].join(', ') || 'nothing that a node could take'}.`,
    );
  }
}

/** What asks the app cannot be part of what fills it. @throws Fault 22104 naming the node (SEMANTICS 5.10) */
export function checkBaseNodes(nodes: readonly WorkflowNode[]): void {
  const asking = nodes.find(({ model }) => canonicalTypeId(model?.modelTypeId ?? '') === 'rag-prompter');
  if (asking) throw workflowFault.notForBase(asking.id);
}

const anything = ['any'];

/** Kinds of content of which a type needs one. */
export function wantedBy(typeId: string): string[] {
  const fields = (findModelType(typeId)?.inputFields ?? anything).flatMap((field) => field.split(','));
  // Regions of a picture and of the frames of a video are taken alike.
  if (fields.some((field) => /^(regions|frames)\b/.test(field))) return ['regions', 'frames'];
  // Heads and clusters embed a picture themselves where no embedding comes.
  return fields.includes('embeddings') ? [...new Set([...fields, 'image'])] : fields;
}

/** Kinds of content that a type gives, its regions' content as well; some pass on what comes to them. */
export function givenBy(typeId: string, coming: ReadonlySet<string>): ReadonlySet<string> {
  const fields = (findModelType(typeId)?.outputFields ?? anything).flatMap((field) => field.split(','));
  const kinds = new Set<string>();
  for (const field of fields) {
    if (field === 'any') for (const kind of coming) kinds.add(kind);
    kinds.add(field.split(/[[.]/)[0] ?? field);
    for (const [, inner] of field.matchAll(/\.data\.([a-z_]+)/g)) if (inner) kinds.add(inner);
  }
  if (fields.includes('any') && !coming.has('any')) kinds.delete('any');
  return kinds;
}
