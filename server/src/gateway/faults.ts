import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

/** Faults the wire itself can make. The wording of the first two is compared by official clients. */
export const gatewayFault = {
  noCredential: () =>
    new Fault(
      'unauthenticated',
      StatusCode.CONN_INVALID_REQUEST,
      "The authorization header is empty or malformed: send 'Authorization: Key <API key or personal access token>' or a session token.",
    ),
  unknownKey: () =>
    new Fault(
      'unauthenticated',
      StatusCode.CONN_KEY_INVALID,
      'Invalid API key or Invalid API key/application pair',
    ),
  expiredKey: () =>
    new Fault('unauthenticated', StatusCode.CONN_KEY_INVALID, 'This key has expired; make a new one.'),
  noAppNamed: () =>
    new Fault(
      'unauthenticated',
      StatusCode.CONN_KEY_INVALID,
      'The app external id is missing: a personal access token opens no app by itself, so name one in user_app_id.app_id or in the URL.',
    ),
  wrongAppForKey: () =>
    new Fault(
      'unauthenticated',
      StatusCode.CONN_KEY_INVALID,
      'This app-specific key belongs to another app; use that app or a personal access token.',
    ),
  patNeeded: (rpc: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `${rpc} needs a personal access token; an app-specific key cannot call it.`,
    ),
  sessionNeeded: (rpc: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `${rpc} needs a session token; sign in first.`,
    ),
  missingScopes: (rpc: string, missing: readonly string[]) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `${rpc} needs the scope${missing.length > 1 ? 's' : ''} ${missing.join(', ')}, which this key does not hold.`,
    ),
  endpointNotGranted: (rpc: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `This key is limited to other endpoints than ${rpc}.`,
    ),
  membersOnly: (rpc: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `${rpc} is for the owner and the collaborators of this app.`,
    ),
  adminOnly: (rpc: string) =>
    new Fault('forbidden', StatusCode.CONN_INSUFFICIENT_SCOPES, `${rpc} is not open to users.`),
  noSuchUser: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `There is no user '${id}', or it is not visible to you.`,
    ),
  noSuchApp: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `There is no app '${id}', or it is not visible to you.`,
    ),
  appMoved: (oldId: string, newId: string) =>
    new Fault('moved', StatusCode.MOVED, `The app '${oldId}' is now called '${newId}'.`, {
      moved: { collection: 'apps', to: newId },
    }),
  notBuilt: (rpc: string) =>
    new Fault('not_implemented', StatusCode.NOT_IMPLEMENTED, `${rpc} is not built yet on this server.`),
  noRoute: (verb: string, path: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no endpoint ${verb} ${path}.`),
  wrongVerb: (verb: string, allowed: readonly string[]) =>
    new Fault(
      'method_not_allowed',
      StatusCode.CONN_METHOD_NOT_ALLOWED,
      `${verb} is not allowed here; this path takes ${allowed.join(', ')}.`,
    ),
  badFormat: (details: string) => new Fault('bad_request', StatusCode.CONN_BAD_REQUEST_FORMAT, details),
  throttled: (requests: number, windowMs: number) =>
    new Fault(
      'throttled',
      StatusCode.CONN_THROTTLED,
      `The limit is ${requests} requests per ${windowMs === 1000 ? 'second' : windowMs === 60_000 ? 'minute' : 'hour'} for each key; slow down and try again.`,
    ),
  tooLarge: (sizeBytesMax: number) =>
    new Fault(
      'too_large',
      StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
      `The request is larger than ${Math.floor(sizeBytesMax / 1048576)} MiB; send fewer inputs at a time.`,
    ),
} as const;
