import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { MethodRule } from '@fovea/contract';

/** What the descriptors say about who may call a method beyond its scopes. Nothing here is kept by hand. */
export interface AccessRule {
  /** The method can name an app (some binding has `{user_app_id.app_id}`, or a short path that a key's app fills). */
  readonly aboutApps: boolean;
  /** The method can be about a user, or everyone, without naming an app. */
  readonly aboutUsers: boolean;
  /** Someone who is neither owner nor collaborator may call it where visibility is public. */
  readonly isOpen: boolean;
}

const rules = new Map<string, AccessRule>();
const readScope = /(_Get|^Predict|^Search)$/;

export function accessRuleOf(rule: MethodRule): AccessRule {
  let access = rules.get(rule.name);
  if (!access) {
    access = readAccess(rule);
    rules.set(rule.name, access);
  }
  return access;
}

function readAccess(rule: MethodRule): AccessRule {
  const paths = rule.bindings.map((binding) => binding.path);
  const named = rule.desc.input.fields.some((field) => field.name === 'user_app_id');
  // A stream without a path of its own (StreamAnnotations) names its app in the request alone.
  const withApp =
    paths.some((path) => path.includes('{user_app_id.app_id}')) ||
    (paths.length === 0 && named && rule.kind === 'server_streaming');
  const withUserOnly = paths.some(
    (path) => path.includes('{user_app_id.user_id}') && !path.includes('{user_app_id.app_id}'),
  );
  const reads =
    rule.scopes.every((scope) => readScope.test(scope)) && !/^(Post|Patch|Put|Delete|Cancel)/.test(rule.name);
  const asks =
    rule.scopes.every((scope) => readScope.test(scope)) && /Searches|Outputs|Results/.test(rule.name);
  return {
    // Two-way streams have no path that could name an app; their first message does.
    aboutApps: withApp || rule.kind === 'bidi_streaming',
    aboutUsers: withUserOnly || !withApp || !named,
    isOpen: (reads && showsVisibility(rule.desc.output)) || (asks && predictsOrShows(rule)),
  };
}

/** Predictions run with public models; searches stay with members unless what they list has a visibility of its own. */
function predictsOrShows(rule: MethodRule): boolean {
  return rule.scopes.includes('Predict') || showsVisibility(rule.desc.output);
}

/**
 * True when the resource a reply shows can itself be public (Model, Workflow, App …), or belongs to no one (model
 * types). That is the first message of a reply: what follows goes with it (the search that made the hits, the owner
 * of the app whose collaborators are listed) and opens nothing.
 */
function showsVisibility(reply: DescMessage): boolean {
  const shown = reply.fields.find(isResourceField);
  return shown !== undefined && (hasVisibility(shown) || ownedByNobody(shown));
}

const isResourceField = (field: DescField): boolean =>
  field.message !== undefined && field.message.typeName !== 'clarifai.api.status.Status';

const hasVisibility = (field: DescField): boolean =>
  field.message?.fields.some((inner) => inner.name === 'visibility') ?? false;

const ownedByNobody = (field: DescField): boolean =>
  ['clarifai.api.ModelType', 'clarifai.api.StatusCode'].includes(field.message?.typeName ?? '');
