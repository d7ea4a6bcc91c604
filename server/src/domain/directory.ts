/** Look-ups that run before any grant exists. Implemented by the identity family, called by the gateway alone. */
export interface CredentialRow {
  readonly key: number;
  readonly kind: 'app_key' | 'pat' | 'session';
  readonly userKey: number;
  readonly userId: string;
  readonly appKey: number | undefined;
  readonly scopes: readonly string[];
  readonly endpoints: readonly string[];
  readonly expiresAt: Date | undefined;
}

export interface UserRow {
  readonly key: number;
  readonly id: string;
  readonly visibility: number;
}

export interface AppRow {
  readonly key: number;
  readonly id: string;
  readonly userKey: number;
  readonly userId: string;
  readonly userVisibility: number;
  readonly visibility: number;
  readonly defaultLanguage: string;
}

export interface CollaborationRow {
  readonly scopes: readonly string[];
  readonly endpoints: readonly string[];
}

export interface Directory {
  /** `hash` is the SHA-256 of the secret. */
  credentialOf(hash: Buffer): Promise<CredentialRow | undefined>;
  sessionOf(hash: Buffer): Promise<CredentialRow | undefined>;
  userOf(id: string): Promise<UserRow | undefined>;
  appOf(userKey: number, id: string): Promise<AppRow | undefined>;
  appByKey(key: number): Promise<AppRow | undefined>;
  /** New id of an app that was renamed, if `id` is an old one. */
  appMovedTo(userKey: number, id: string): Promise<string | undefined>;
  collaborationOf(appKey: number, userKey: number): Promise<CollaborationRow | undefined>;
}
