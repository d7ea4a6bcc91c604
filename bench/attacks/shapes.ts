import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { MethodRule } from '@fovea/contract';
import type { Json } from './wire.ts';

/** One step is a proto field name; lists are entered at their first item. */
export interface Leaf {
  readonly path: readonly {
    readonly name: string;
    readonly isList: boolean;
    readonly rivals: readonly string[];
  }[];
  readonly field: DescField;
  readonly parent: DescMessage;
}

export const pathWords = (leaf: Leaf): string =>
  leaf.path.map((step) => step.name + (step.isList ? '[0]' : '')).join('.');

/**
 * Every scalar field of a message that `wants` accepts, reached through nested messages at most `depth` deep;
 * a type that contains itself is entered twice.
 */
export function leavesOf(
  desc: DescMessage,
  wants: (field: DescField, parent: DescMessage) => boolean,
  depth = 4,
): Leaf[] {
  const found: Leaf[] = [];
  const visit = (at: DescMessage, path: Leaf['path'], trail: readonly string[]) => {
    for (const field of at.fields) {
      const rivals = field.oneof?.fields.map((one) => one.name).filter((name) => name !== field.name) ?? [];
      const step = { name: field.name, isList: field.fieldKind === 'list', rivals };
      if (wants(field, at)) found.push({ path: [...path, step], field, parent: at });
      const inner = field.fieldKind === 'message' || field.fieldKind === 'list' ? field.message : undefined;
      if (!inner || trail.length >= depth || inner.typeName.startsWith('google.protobuf.')) continue;
      if (trail.filter((name) => name === inner.typeName).length > 0) continue;
      visit(inner, [...path, step], [...trail, inner.typeName]);
    }
  };
  visit(desc, [], [desc.typeName]);
  return found;
}

export const isText = (field: DescField): boolean =>
  (field.fieldKind === 'scalar' || field.fieldKind === 'list') && 'scalar' in field && field.scalar === 9;

export const isIdField = (field: DescField): boolean => isText(field) && /(^|_)ids?$/.test(field.name);

export const isUrlField = (field: DescField): boolean =>
  isText(field) && /(^|_)(url|uri|endpoint|callback|webhook)s?$/.test(field.name);

/** Puts a value at a leaf of a request given as JSON, making what is missing on the way. Returns a copy. */
export function withLeaf(json: Json, leaf: Leaf, value: Json): Json {
  const copy = structuredClone(json ?? {});
  let at = copy;
  for (const [i, step] of leaf.path.entries()) {
    const isLast = i === leaf.path.length - 1;
    for (const rival of step.rivals) delete at[rival];
    if (isLast) {
      at[step.name] = step.isList ? [value] : value;
    } else if (step.isList) {
      at[step.name] ??= [{}];
      at = at[step.name][0];
    } else {
      at[step.name] ??= {};
      at = at[step.name];
    }
  }
  return copy;
}

/** What sort of resource an id field names: `input`, `concept`, `user` …, by its own name or by where it stands. */
export function kindOf(field: DescField, parent: DescMessage, rule?: MethodRule): string {
  const own = /^(.*?)_?ids?$/.exec(field.name)?.[1] ?? '';
  if (own !== '')
    return own.replace(
      /^(source|target|base|parent|template|worker|eval|external|next|last|subject|object)_/,
      '',
    );
  const noun = parent.name.endsWith('Request')
    ? (rule?.name ?? parent.name).replace(/^(Get|List|Post|Patch|Put|Delete|Stream|Cancel)/, '')
    : parent.name;
  return noun
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/ies$/, 'y')
    .replace(/s$/, '');
}

export type Ids = Readonly<Record<string, string>>;

/** A request that names existing things wherever it has an id, `depth` messages deep. */
export function namingRequest(rule: MethodRule, ids: Ids, depth = 2): Json {
  let json: Json = {};
  for (const leaf of leavesOf(rule.desc.input, isIdField, depth)) {
    if (leaf.path[0]?.name === 'user_app_id') continue;
    const id = ids[kindOf(leaf.field, leaf.parent, rule)];
    if (id !== undefined) json = withLeaf(json, leaf, id);
  }
  if ('user_app_id' in Object.fromEntries(rule.desc.input.fields.map((field) => [field.name, 1])))
    json.user_app_id = { user_id: ids['user'], app_id: ids['app'] };
  return oneCaseEach(rule.desc.input, json);
}

/** Of several fields of one oneof the first is kept, at every depth. */
export function oneCaseEach(desc: DescMessage, json: Json): Json {
  if (typeof json !== 'object' || json === null) return json;
  const chosen = new Set<string>();
  for (const field of desc.fields) {
    const value = json[field.name];
    if (value === undefined) continue;
    if (field.oneof) {
      if (chosen.has(field.oneof.name)) {
        delete json[field.name];
        continue;
      }
      chosen.add(field.oneof.name);
    }
    const inner = field.fieldKind === 'message' || field.fieldKind === 'list' ? field.message : undefined;
    if (!inner) continue;
    if (Array.isArray(value)) for (const item of value) oneCaseEach(inner, item);
    else oneCaseEach(inner, value);
  }
  return json;
}
