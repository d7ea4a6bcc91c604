import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

const invalid = (details: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, details);

export const identityFault = {
  missingUser: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `There is no user '${id}', or it is not visible to you.`,
    ),
  userExists: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: there is a user '${id}' already.`,
    ),
  usedWelcome: () =>
    new Fault(
      'unauthenticated',
      StatusCode.CONN_KEY_INVALID,
      'The code of the link is unknown, used or older than an hour. Sign in with a token, or start the server again for a new link.',
    ),
  missingKey: () =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, 'There is no such key among yours.'),
  missingCollaborator: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no collaborator '${id}' on this app.`),
  ownKeysOnly: () => invalid('Keys are made and shown for your own user only.'),
  unknownScope: (scope: string) =>
    invalid(`There is no scope '${scope}', or it cannot be granted; ListScopes names them all.`),
  scopeNeedsOthers: (scope: string, missing: readonly string[]) =>
    invalid(
      `The scope ${scope} works only together with ${missing.join(', ')}; add ${missing.length > 1 ? 'them' : 'it'} to scopes.`,
    ),
  unknownEndpoint: (endpoint: string) =>
    invalid(`There is no endpoint '${endpoint}'; write it as /clarifai.api.V2/PostInputs.`),
  moreThanYouHold: (scopes: readonly string[]) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `A key cannot hand out more than it holds; yours lacks ${scopes.join(', ')}.`,
    ),
  moreEndpoints: (beyond: readonly string[]) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      beyond.length > 0
        ? `A key cannot hand out more than it holds; yours does not reach ${beyond.join(', ')}.`
        : 'Your key is limited to some endpoints, so what it hands out must name its endpoints too.',
    ),
  oneAppPerKey: (n: number) => invalid(`keys[].apps holds ${n} apps; an app-specific key opens exactly one.`),
  noAppsOnPat: () => invalid('keys[].apps must be empty for a personal access token.'),
  unknownKeyType: (type: string) =>
    invalid(`keys[].type is '${type}'; use app_specific_key or personal_access_token.`),
  collaboratorNeedsUser: () => invalid('collaborators[].user needs an id or an email of an existing user.'),
  collaboratorIsOwner: () => invalid('The owner of an app is not also its collaborator.'),
  alreadyCollaborator: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: '${id}' is a collaborator on this app already.`,
    ),
  duplicateCollaboratorId: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: the collaborator id '${id}' is taken; leave it out.`,
    ),
  invalid,
  ownerOnly: () =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      'Only the owner of the app may change who works on it.',
    ),
} as const;
