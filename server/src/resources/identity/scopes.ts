import { methodRules, scopeRules } from '@fovea/contract';
import type { Caller } from '#domain/grant.ts';
import { identityFault } from './faults.ts';

/** What a key or a collaborator may do; no endpoints means every endpoint that the scopes reach. */
export interface Access {
  readonly scopes: readonly string[];
  readonly endpoints: readonly string[];
}

const rulesByEndpoint = new Map(methodRules.map((rule) => [rule.path, rule]));

/**
 * Checks the scopes and endpoints a key or collaborator is to hold: known, grantable, with all they depend on,
 * and not more than the giver holds. Source: scope.proto (exposed and depending scopes), SEMANTICS 2.2.
 */
export function checkGrantable(wanted: Access, giver: Pick<Caller, 'scopes' | 'endpoints'>): void {
  const asked = new Set(wanted.scopes);
  for (const scope of asked) {
    const rule = scopeRules.get(scope);
    if (!rule?.exposed) throw identityFault.unknownScope(scope);
    const missing = rule.dependingScopes.filter((needed) => !asked.has(needed) && !asked.has('All'));
    if (missing.length > 0) throw identityFault.scopeNeedsOthers(scope, missing);
  }
  for (const endpoint of wanted.endpoints) {
    const rule = rulesByEndpoint.get(endpoint);
    if (!rule) throw identityFault.unknownEndpoint(endpoint);
    const missing = rule.scopes.filter((needed) => !asked.has(needed) && !asked.has('All'));
    if (missing.length > 0) throw identityFault.scopeNeedsOthers(endpoint, missing);
  }
  const free = giver.endpoints.size === 0;
  const elsewhere = wanted.endpoints.filter((endpoint) => !free && !giver.endpoints.has(endpoint));
  if (elsewhere.length > 0 || (!free && wanted.endpoints.length === 0))
    throw identityFault.moreEndpoints(elsewhere);
  if (giver.scopes.has('All')) return;
  const beyond = [...asked].filter((scope) => !giver.scopes.has(scope));
  if (beyond.length > 0) throw identityFault.moreThanYouHold(beyond);
}

/**
 * Scopes and endpoints after a patch, where an empty list leaves what was there. Checked as a whole where either changes.
 *
 * @throws Fault as `checkGrantable`
 */
export function patchedAccess(
  before: Access,
  sent: Access,
  giver: Pick<Caller, 'scopes' | 'endpoints'>,
): Access {
  const scopes = sent.scopes.length > 0 ? sent.scopes : before.scopes;
  const endpoints = sent.endpoints.length > 0 ? sent.endpoints : before.endpoints;
  if (sent.scopes.length > 0 || sent.endpoints.length > 0) checkGrantable({ scopes, endpoints }, giver);
  return { scopes, endpoints };
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
