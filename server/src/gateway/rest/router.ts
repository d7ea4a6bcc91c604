import type { Message } from '@bufbuild/protobuf';
import { type Binding, type MethodRule, methodRules, type Verb } from '@fovea/contract';
import { decodeJson, isObject, type QueryPairs, queryJson, setFromText, snakeKeys } from '../json/index.ts';

export interface RouteMatch {
  readonly verb: Verb;
  readonly path: string;
  readonly rule: MethodRule;
  readonly binding: Binding;
  /** Values of the path by field path (`user_app_id.user_id`), percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** The path exists, the verb does not. */
export interface WrongVerb {
  readonly allowed: readonly Verb[];
}

export interface RestRequest {
  /** The method that answers: of two that share a route, the body can name the other. */
  readonly rule: MethodRule;
  readonly message: Message;
  /** The body as sent, keys in proto spelling; undefined where there was none. */
  readonly sent: Record<string, unknown> | undefined;
}

/**
 * Routes that the contract gives to two methods. Every such route must stand here: a new one in a later
 * contract stops the start instead of being decided by the order of declaration.
 */
export const disputes: readonly { readonly winner: string; readonly loser: string; readonly why: string }[] =
  [
    {
      winner: 'PostRunners',
      loser: 'PatchRunners',
      why: 'PatchRunners is bound to POST (service.proto 11.11); a body with `action` is a patch',
    },
    {
      winner: 'ListPipelines',
      loser: 'PostPipelines',
      why: 'PostPipelines has an additional binding with GET; a GET lists',
    },
    {
      winner: 'ListLogEntries',
      loser: 'StreamLogEntries',
      why: 'both are bound to the paths of one runner and one version; StreamLogEntries has /stream/logs of its own',
    },
  ];

interface Leaf {
  readonly rule: MethodRule;
  readonly binding: Binding;
  readonly names: readonly string[];
}

interface Node {
  readonly literals: Map<string, Node>;
  param: Node | undefined;
  readonly leaves: Map<Verb, Leaf>;
}

const newNode = (): Node => ({ literals: new Map(), param: undefined, leaves: new Map() });

function buildTree(rules: readonly MethodRule[]): Node {
  const root = newNode();
  for (const rule of rules) for (const binding of rule.bindings) addRoute(root, rule, binding);
  return root;
}

function addRoute(root: Node, rule: MethodRule, binding: Binding): void {
  let node = root;
  const names: string[] = [];
  for (const segment of binding.path.split('/').slice(1)) {
    const name = /^\{([a-z0-9_.]+)\}$/.exec(segment)?.[1];
    if (name === undefined) {
      const next = node.literals.get(segment) ?? newNode();
      node.literals.set(segment, next);
      node = next;
    } else {
      names.push(name);
      node.param ??= newNode();
      node = node.param;
    }
  }
  const settled = node.leaves.get(binding.verb);
  if (settled === undefined || wins(rule, settled.rule, binding)) {
    node.leaves.set(binding.verb, { rule, binding, names });
  }
}

function wins(rule: MethodRule, settled: MethodRule, binding: Binding): boolean {
  const names = [rule.name, settled.name];
  const dispute = disputes.find(({ winner, loser }) => names.includes(winner) && names.includes(loser));
  if (dispute === undefined)
    throw new Error(`${names.join(' and ')} both want ${binding.verb} ${binding.path}`);
  return dispute.winner === rule.name;
}

/** Literal segments win over parameters, whatever the order of declaration (`/concepts/status`, `/models/types`). */
function* leavesAt(node: Node, segments: readonly string[], index: number): Generator<Node> {
  const segment = segments[index];
  if (segment === undefined) {
    if (node.leaves.size > 0) yield node;
    return;
  }
  const literal = node.literals.get(segment);
  if (literal !== undefined) yield* leavesAt(literal, segments, index + 1);
  if (node.param !== undefined && segment !== '') yield* leavesAt(node.param, segments, index + 1);
}

function decoded(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

const tree = buildTree(methodRules);

/**
 * Finds the method behind a verb and a path (without query). A trailing slash does not matter.
 *
 * @returns undefined where no method has this path
 */
export function matchRoute(verb: string, path: string): RouteMatch | WrongVerb | undefined {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const segments = trimmed.split('/').slice(1);
  const asked = (verb === 'HEAD' ? 'GET' : verb) as Verb;
  const allowed = new Set<Verb>();
  for (const { leaves } of leavesAt(tree, segments, 0)) {
    const leaf = leaves.get(asked);
    if (leaf !== undefined) {
      return { verb: asked, path, rule: leaf.rule, binding: leaf.binding, params: paramsOf(leaf, segments) };
    }
    for (const known of leaves.keys()) allowed.add(known);
  }
  return allowed.size > 0 ? { allowed: [...allowed].sort() } : undefined;
}

function paramsOf({ binding, names }: Leaf, segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  let next = 0;
  for (const [index, template] of binding.path.split('/').slice(1).entries()) {
    if (template.startsWith('{')) params[names[next++] as string] = decoded(segments[index] as string);
  }
  return params;
}

const patchRunners = methodRules.find((rule) => rule.name === 'PatchRunners');

/** Of the methods that share a route, the one this body is meant for. */
function ruleFor(match: RouteMatch, body: unknown): MethodRule {
  const isPatch = match.rule.name === 'PostRunners' && isObject(body) && 'action' in body;
  return isPatch && patchRunners !== undefined ? patchRunners : match.rule;
}

/**
 * Puts a request message together from path, query and body, whatever the verb (DELETE carries a body, GET may).
 * The path wins over the body, the body over the query.
 *
 * @param json the parsed body, undefined where there was none
 * @throws JsonTrouble naming the field that could not be read
 */
export function requestFrom(match: RouteMatch, query: QueryPairs, json: unknown): RestRequest {
  const rule = ruleFor(match, json);
  const schema = rule.desc.input;
  const sent = json === undefined ? undefined : snakeKeys(schema, json);
  const asked = queryJson(schema, query);
  const hasQuery = Object.keys(asked).length > 0;
  const message = decodeJson(schema, hasQuery ? merged(asked, sent) : json);
  for (const [field, text] of Object.entries(match.params)) setFromText(schema, message, field, text);
  return { rule, message, sent: isObject(sent) ? sent : undefined };
}

/** `over` laid on `under`, object by object; what is no object is left for the reader to complain about. */
function merged(under: Record<string, unknown>, over: unknown): unknown {
  if (over === undefined) return under;
  if (!isObject(over)) return over;
  const result: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    const both = isObject(below) && isObject(value) ? merged(below, value) : value;
    Object.defineProperty(result, key, { value: both, writable: true, enumerable: true, configurable: true });
  }
  return result;
}
