/** JSON as it travels: what Struct holds. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonMap = { [key: string]: Json };

export type PatchAction = 'merge' | 'overwrite' | 'remove';

const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const idOf = (value: Json): string | undefined =>
  isMap(value) && typeof value.id === 'string' ? value.id : undefined;
const haveIds = (list: Json[]): boolean => list.length > 0 && list.every((item) => idOf(item) !== undefined);
const isSame = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Keys are the caller's own: `constructor` and `__proto__` are names like any other. */
export const own = (map: JsonMap, key: string): Json | undefined =>
  Object.hasOwn(map, key) ? map[key] : undefined;

export function put(map: JsonMap, key: string, value: Json): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

/**
 * Merges `sent` into `before`. Objects recurse, `{}` and `[]` replace, null does nothing, lists match elements by
 * `id` where they have one and append otherwise. Neither argument is changed.
 *
 * Source: the contract's patching rules, SEMANTICS 4.2.
 */
export function merged(before: Json | undefined, sent: Json | undefined): Json | undefined {
  if (sent === undefined || sent === null) return before;
  if (before === undefined) return sent;
  if (Array.isArray(sent)) {
    if (!Array.isArray(before) || sent.length === 0) return sent;
    return haveIds(sent) && haveIds(before) ? mergedById(before, sent) : [...before, ...sent];
  }
  if (!isMap(sent)) return sent;
  if (!isMap(before) || Object.keys(sent).length === 0) return sent;
  const after: JsonMap = { ...before };
  for (const [key, value] of Object.entries(sent)) {
    const next = merged(own(before, key), value);
    if (next !== undefined) put(after, key, next);
  }
  return after;
}

function mergedById(before: Json[], sent: Json[]): Json[] {
  const sentById = new Map(sent.map((item) => [idOf(item), item]));
  const kept = before.map((item) => merged(item, sentById.get(idOf(item))) as Json);
  const known = new Set(before.map((item) => idOf(item)));
  return [...kept, ...sent.filter((item) => !known.has(idOf(item)))];
}

/**
 * Removes what `sent` names from `before`: list elements by `id` (or equal ones), keys given any plain value but
 * false; nested objects recurse and stay as `{}` when emptied. Source: SEMANTICS 4.3.
 */
export function removed(before: Json | undefined, sent: Json | undefined): Json | undefined {
  if (before === undefined || sent === undefined || sent === null) return before;
  if (Array.isArray(sent)) {
    if (!Array.isArray(before)) return before;
    const ids = new Set<string | undefined>(sent.map(idOf).filter((id) => id !== undefined));
    return before.filter((item) => !ids.has(idOf(item)) && !sent.some((gone) => isSame(gone, item)));
  }
  if (isMap(sent)) {
    if (!isMap(before)) return before;
    const after: JsonMap = { ...before };
    for (const [key, value] of Object.entries(sent)) {
      const next = removed(own(before, key), value);
      if (next === undefined) delete after[key];
      else put(after, key, next);
    }
    return after;
  }
  return sent === false ? false : undefined;
}

/** Applies one of the contract's three actions to a JSON value. */
export function patched(
  action: PatchAction,
  before: Json | undefined,
  sent: Json | undefined,
): Json | undefined {
  if (action === 'overwrite') return sent;
  return action === 'merge' ? merged(before, sent) : removed(before, sent);
}
