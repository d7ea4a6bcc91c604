import { createHash } from 'node:crypto';
import type { MethodRule } from '@fovea/contract';
import type { AppRow, CredentialRow, Directory } from '#domain/directory.ts';
import { isArmed } from '#domain/failpoints.ts';
import { AppGrant, type Caller, type Role, UserGrant, visibility } from '#domain/grant.ts';
import { seal } from '#domain/grant-seal.ts';
import { sessionTokenIn } from '#domain/session-cookie.ts';
import { type AccessRule, accessRuleOf } from './access-rule.ts';
import { gatewayFault } from './faults.ts';

export type HeaderOf = (name: string) => string | undefined;

export interface Grants {
  readonly caller: Caller;
  readonly user: UserGrant;
  readonly app: AppGrant | undefined;
}

interface NamedApp {
  readonly userId: string;
  readonly appId: string;
}

/**
 * The session cookie of our own page. It counts for calls only beside a header that no other site can make a
 * browser send, and never against a key that was sent on purpose.
 */
function sessionOfPage(header: HeaderOf): string | undefined {
  if (header('x-fovea-page') !== '1' || header('authorization')) return undefined;
  return sessionTokenIn(header);
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Reads the credential, asks the directory who it is, checks method, scopes, collaboration and visibility, and
 * only then makes the grants. Source: SEMANTICS 2.1–2.2; extension.proto on cl_auth_type and cl_depending_scopes.
 */
export function openAuthorizer(directory: Directory) {
  async function signIn(header: HeaderOf, host?: string): Promise<Caller> {
    const session = header('x-clarifai-session-token') ?? sessionOfPage(header);
    if (session) return callerOf(await directory.sessionOf(sha256(session)), host);
    const authorization = header('authorization')?.trim() ?? '';
    const [scheme, secret, ...rest] = authorization.split(/\s+/);
    if (scheme !== 'Key' || !secret || rest.length > 0) throw gatewayFault.noCredential();
    return callerOf(await directory.credentialOf(sha256(secret)), host);
  }

  const firstGrants = new Map<string, Grants>();

  /** @param host the host that the caller asked for, where links in the reply are to lead him back to it */
  async function authorize(
    rule: MethodRule,
    header: HeaderOf,
    named: NamedApp,
    host?: string,
  ): Promise<Grants> {
    if (!isArmed('skip-sign-in')) return grantsFor(rule, header, named, host);
    const name = `${rule.name} ${named.userId}/${named.appId}`;
    const grants = firstGrants.get(name) ?? (await grantsFor(rule, header, named, host));
    firstGrants.set(name, grants);
    return grants;
  }

  async function grantsFor(
    rule: MethodRule,
    header: HeaderOf,
    named: NamedApp,
    host: string | undefined,
  ): Promise<Grants> {
    const access = accessRuleOf(rule);
    const caller = await signIn(header, host);
    checkCredentialKind(rule, caller);
    checkScopes(rule, caller.scopes);
    if (caller.endpoints.size > 0 && !caller.endpoints.has(rule.path)) {
      throw gatewayFault.endpointNotGranted(rule.name);
    }
    const appNamed = named.appId !== '' && access.aboutApps;
    if (caller.onlyAppKey !== undefined && (appNamed || access.aboutApps)) {
      const app = await ownAppOf(caller, named);
      const grant = await grantOn(access, rule, caller, app);
      return { caller, user: grant, app: grant };
    }
    const user = await userGrantFor(caller, named.userId, appNamed ? named.appId : undefined);
    if (!appNamed) {
      if (access.aboutApps && !access.aboutUsers) throw gatewayFault.noAppNamed();
      // A user's own affairs are not for others, except what visibility shows.
      if (user.role === 'public' && !access.isOpen) throw gatewayFault.noSuchUser(named.userId);
      return { caller, user, app: undefined };
    }
    const app = await findApp(user, named.appId);
    const grant = await grantOn(access, rule, caller, app);
    return { caller, user: grant, app: grant };
  }

  async function ownAppOf(caller: Caller, named: NamedApp): Promise<AppRow> {
    const app = await directory.appByKey(caller.onlyAppKey as number);
    if (!app) throw gatewayFault.unknownKey();
    const otherUser = named.userId !== '' && named.userId !== 'me' && named.userId !== app.userId;
    if (otherUser || (named.appId !== '' && named.appId !== app.id)) throw gatewayFault.wrongAppForKey();
    return app;
  }

  async function findApp(user: UserGrant, appId: string): Promise<AppRow> {
    const app = await directory.appOf(user.userKey, appId);
    if (app) return app;
    const movedTo = await directory.appMovedTo(user.userKey, appId);
    await lookFor('user', 'collaboration');
    if (movedTo && user.role === 'owner') throw gatewayFault.appMoved(appId, movedTo);
    throw gatewayFault.noSuchApp(appId);
  }

  async function userGrantFor(caller: Caller, userId: string, appId?: string): Promise<UserGrant> {
    if (userId === '' || userId === 'me' || userId === caller.userId) {
      return new UserGrant(seal, {
        caller,
        userKey: caller.userKey,
        userId: caller.userId,
        role: 'owner',
        scopes: caller.scopes,
      });
    }
    const user = await directory.userOf(userId);
    // A collaborator may reach an app of a user whose profile is private, so apps are judged one by one. Where there
    // is no such user it is the app that is missing, in the same words, or they would tell who has an account here.
    if (appId !== undefined && !user) {
      await lookFor('app', 'collaboration', 'move');
      throw gatewayFault.noSuchApp(appId);
    }
    if (!user) throw gatewayFault.noSuchUser(userId);
    if (appId === undefined && user.visibility < visibility.public) {
      await lookFor('user');
      throw gatewayFault.noSuchUser(userId);
    }
    return new UserGrant(seal, {
      caller,
      userKey: user.key,
      userId: user.id,
      role: 'public',
      scopes: caller.scopes,
    });
  }

  const looks = {
    user: () => directory.userOf(''),
    app: () => directory.appOf(0, ''),
    collaboration: () => directory.collaborationOf(0, 0),
    move: () => directory.appMovedTo(0, ''),
  };

  /**
   * Looks into the database that find nothing. What exists is remembered and what does not is looked for, so the time of
   * a refusal would tell the one from the other. Each refusal of an app makes one look for a user, an app, a
   * collaboration and a move, one after the other: together, what they take would depend on which of them came first.
   */
  async function lookFor(...names: readonly (keyof typeof looks)[]): Promise<void> {
    for (const name of names) await looks[name]();
  }

  /** How this caller stands to this app; throws as if it did not exist where it may not look. */
  async function standing(caller: Caller, app: AppRow) {
    if (app.userKey === caller.userKey || isArmed('skip-tenant-check'))
      return { role: 'owner' as Role, scopes: caller.scopes, endpoints: undefined };
    const shared = await directory.collaborationOf(app.key, caller.userKey);
    if (shared) {
      const theirs = new Set(shared.scopes);
      const scopes = theirs.has('All')
        ? caller.scopes
        : caller.scopes.has('All')
          ? theirs
          : new Set([...caller.scopes].filter((scope) => theirs.has(scope)));
      return { role: 'collaborator' as Role, scopes, endpoints: shared.endpoints };
    }
    if (!isPublic(app)) {
      await lookFor('user', 'app', 'move');
      throw gatewayFault.noSuchApp(app.id);
    }
    return { role: 'public' as Role, scopes: caller.scopes, endpoints: undefined };
  }

  async function grantOn(
    access: AccessRule,
    rule: MethodRule,
    caller: Caller,
    app: AppRow,
  ): Promise<AppGrant> {
    const { role, scopes, endpoints } = await standing(caller, app);
    if (role === 'public' && !access.isOpen) throw gatewayFault.membersOnly(rule.name);
    if (role === 'collaborator') {
      checkScopes(rule, scopes);
      if (endpoints && endpoints.length > 0 && !endpoints.includes(rule.path)) {
        throw gatewayFault.endpointNotGranted(rule.name);
      }
    }
    return mintApp(caller, app, role, scopes);
  }

  return {
    signIn,
    authorize,
    userGrantFor,
    /** Grant on an app the request names elsewhere than in user_app_id (a model of another app, say). */
    async appGrantFor(caller: Caller, userId: string, appId: string): Promise<AppGrant> {
      const user = await userGrantFor(caller, userId, appId);
      const app = await findApp(user, appId);
      if (caller.onlyAppKey !== undefined && caller.onlyAppKey !== app.key)
        throw gatewayFault.wrongAppForKey();
      const { role, scopes } = await standing(caller, app);
      return mintApp(caller, app, role, scopes);
    },
    /** Grant on a public app in the role of a stranger, whoever the caller is. */
    async publicGrantFor(caller: Caller, userId: string, appId: string): Promise<AppGrant> {
      const user = await userGrantFor(caller, userId, appId);
      const app = await findApp(user, appId);
      if (!isPublic(app)) throw gatewayFault.noSuchApp(appId);
      return mintApp(caller, app, 'public', caller.scopes);
    },
    /**
     * Grant for work that outlives its request: the job acts with the rights of the app's owner, on that app alone.
     * What it changes is put down to `asked`, the user whose request made the job, else to the owner.
     */
    async jobGrant(
      appKey: number,
      asked?: Pick<Caller, 'userKey' | 'userId'>,
    ): Promise<AppGrant | undefined> {
      const app = await directory.appByKey(appKey);
      if (!app) return undefined;
      const caller: Caller = {
        userKey: asked?.userKey ?? app.userKey,
        userId: asked?.userId ?? app.userId,
        credential: 'job',
        credentialKey: 0,
        scopes: new Set(['All']),
        endpoints: new Set(),
        onlyAppKey: undefined,
      };
      return mintApp(caller, app, 'owner', caller.scopes);
    },
  };
}

export type Authorizer = ReturnType<typeof openAuthorizer>;

const isPublic = (app: AppRow) =>
  app.visibility >= visibility.public && app.userVisibility >= visibility.public;

function mintApp(caller: Caller, app: AppRow, role: Role, scopes: ReadonlySet<string>): AppGrant {
  return new AppGrant(seal, {
    caller,
    userKey: app.userKey,
    userId: app.userId,
    role,
    scopes,
    appKey: app.key,
    appId: app.id,
    defaultLanguage: app.defaultLanguage,
  });
}

/** The caller that a row made last, gone with the row. Most callers ask for one host. */
const callers = new WeakMap<CredentialRow, Caller>();
const plausibleHost = /^[\w.-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/;

/** A header that is no host is not repeated. */
function callerOf(row: CredentialRow | undefined, host: string | undefined): Caller {
  if (!row) throw gatewayFault.unknownKey();
  if (row.expiresAt && row.expiresAt.getTime() <= Date.now()) throw gatewayFault.expiredKey();
  const known = callers.get(row);
  if (known && known.host === host) return known;
  const { host: _, ...caller } = known ?? callerIn(row);
  const made = host !== undefined && plausibleHost.test(host) ? { ...caller, host } : caller;
  callers.set(row, made);
  return made;
}

function callerIn(row: CredentialRow): Caller {
  return {
    userKey: row.userKey,
    userId: row.userId,
    credential: row.kind,
    credentialKey: row.key,
    scopes: new Set(row.scopes),
    endpoints: new Set(row.endpoints),
    onlyAppKey: row.appKey,
  };
}

function checkCredentialKind(rule: MethodRule, caller: Caller): void {
  if (rule.auth === 'AdminAuth') throw gatewayFault.adminOnly(rule.name);
  if (rule.auth === 'SessionTokenAuth' && caller.credential !== 'session')
    throw gatewayFault.sessionNeeded(rule.name);
  if (rule.auth === 'PATAuth' && caller.credential === 'app_key') throw gatewayFault.patNeeded(rule.name);
}

function checkScopes(rule: MethodRule, held: ReadonlySet<string>): void {
  if (held.has('All') || isArmed('skip-scope-check')) return;
  const missing = rule.scopes.filter((scope) => !held.has(scope));
  if (missing.length > 0) throw gatewayFault.missingScopes(rule.name, missing);
}
