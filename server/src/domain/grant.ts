import { type Seal, seal } from './grant-seal.ts';

export type CredentialKind = 'app_key' | 'pat' | 'session' | 'job';

/** Who is calling: the owner of the credential, and what the credential allows. */
export interface Caller {
  readonly userKey: number;
  readonly userId: string;
  readonly credential: CredentialKind;
  /** Row key of the API key or session, so that a credential can be told from another. */
  readonly credentialKey: number;
  readonly scopes: ReadonlySet<string>;
  /** Full gRPC paths this credential is limited to; empty means every endpoint its scopes reach. */
  readonly endpoints: ReadonlySet<string>;
  /** Set for app-specific keys: the only app they open. */
  readonly onlyAppKey: number | undefined;
  /** Host and port as he wrote them: links in the reply should lead him back here. Undefined for jobs. */
  readonly host?: string | undefined;
}

/** How the caller stands to the app or user named in the request. */
export type Role = 'owner' | 'collaborator' | 'public';

export const visibility = { private: 10, org: 30, public: 50 } as const;

const holdsScope = (scopes: ReadonlySet<string>, wanted: string) => scopes.has('All') || scopes.has(wanted);

/**
 * Proof that sign-in and scopes were checked for calls about a user (who may be the caller or another).
 * `role` is never `collaborator` here: one collaborates on apps.
 */
export class UserGrant {
  readonly caller: Caller;
  readonly userKey: number;
  readonly userId: string;
  readonly role: Role;
  readonly scopes: ReadonlySet<string>;

  constructor(mint: Seal, grant: Pick<UserGrant, 'caller' | 'userKey' | 'userId' | 'role' | 'scopes'>) {
    if (mint !== seal) throw new TypeError('grants are made by the gateway alone');
    this.caller = grant.caller;
    this.userKey = grant.userKey;
    this.userId = grant.userId;
    this.role = grant.role;
    this.scopes = grant.scopes;
  }

  /** Rows below this visibility stay hidden from the caller. */
  get visibleFrom(): number {
    return this.role === 'public' ? visibility.public : visibility.private;
  }

  holds(scope: string): boolean {
    return holdsScope(this.scopes, scope);
  }
}

/** The same proof for one app: it carries the app's key, so that a query without tenancy cannot be written. */
export class AppGrant extends UserGrant {
  readonly appKey: number;
  readonly appId: string;
  readonly defaultLanguage: string;

  constructor(
    mint: Seal,
    grant: Pick<
      AppGrant,
      'caller' | 'userKey' | 'userId' | 'role' | 'scopes' | 'appKey' | 'appId' | 'defaultLanguage'
    >,
  ) {
    super(mint, grant);
    this.appKey = grant.appKey;
    this.appId = grant.appId;
    this.defaultLanguage = grant.defaultLanguage;
  }

  get isMember(): boolean {
    return this.role !== 'public';
  }
}
