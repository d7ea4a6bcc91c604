import { methodRules, scopeRules } from '@fovea/contract';
import { identityFault } from './faults.ts';

const endpoints = new Map(methodRules.map((rule) => [rule.path, rule]));

/**
 * Checks the scopes and endpoints a key or collaborator is to hold: known, grantable, with all they depend on,
 * and not more than the giver holds. Source: scope.proto (exposed and depending scopes), SEMANTICS 2.2.
 */
export function checkGrantable(
  wanted: { scopes: readonly string[]; endpoints: readonly string[] },
  held: ReadonlySet<string>,
): void {
  const asked = new Set(wanted.scopes);
  for (const scope of asked) {
    const rule = scopeRules.get(scope);
    if (!rule?.exposed) throw identityFault.unknownScope(scope);
    const missing = rule.dependingScopes.filter((needed) => !asked.has(needed) && !asked.has('All'));
    if (missing.length > 0) throw identityFault.scopeNeedsOthers(scope, missing);
  }
  for (const endpoint of wanted.endpoints) {
    const rule = endpoints.get(endpoint);
    if (!rule) throw identityFault.unknownEndpoint(endpoint);
    const missing = rule.scopes.filter((needed) => !asked.has(needed) && !asked.has('All'));
    if (missing.length > 0) throw identityFault.scopeNeedsOthers(endpoint, missing);
  }
  if (held.has('All')) return;
  const beyond = [...asked].filter((scope) => !held.has(scope));
  if (beyond.length > 0) throw identityFault.moreThanYouHold(beyond);
}

/** Scopes and endpoints a key of this type may hold, each with what it depends on. */
export function grantable(keyType: string) {
  const forPat = keyType === 'personal_access_token';
  const scopeDeps = [...scopeRules.values()]
    .filter((rule) => rule.exposed)
    .map((rule) => ({ scope: rule.name, dependingScopes: [...rule.dependingScopes] }));
  const endpointDeps = methodRules
    .filter((rule) => rule.auth === 'KeyAuth' || (forPat && rule.auth === 'PATAuth'))
    .map((rule) => ({ endpoint: rule.path, dependingScopes: [...rule.scopes] }));
  return { scopeDeps, endpointDeps };
}
