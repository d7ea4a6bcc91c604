import type { AppRow, CollaborationRow, CredentialRow, UserRow } from '#domain/directory.ts';
import type { Db } from '#store/sql.ts';

/**
 * The only store functions without a grant: they answer the gateway while it is making one.
 * Plain prepared-size statements: each runs on nearly every call that the memory does not answer.
 */

interface KeyRow extends Omit<CredentialRow, 'kind' | 'appKey' | 'expiresAt'> {
  type: string;
  appKey: number | null;
  expiresAt: Date | null;
}

export async function findCredential(db: Db, hash: Buffer): Promise<CredentialRow | undefined> {
  const [row] = await db.query<KeyRow>(
    `select k.key, k.type, k.user_key as "userKey", u.id as "userId", k.app_key as "appKey", k.scopes, k.endpoints,
            k.expires_at as "expiresAt"
     from keys k join users u on u.key = k.user_key left join apps a on a.key = k.app_key
     where k.hash = $1 and (k.app_key is null or a.deleted_at is null)`,
    [hash],
  );
  return (
    row && {
      ...row,
      kind: row.type === 'personal_access_token' ? 'pat' : 'app_key',
      appKey: row.appKey ?? undefined,
      expiresAt: row.expiresAt ?? undefined,
    }
  );
}

export async function findSession(db: Db, hash: Buffer): Promise<CredentialRow | undefined> {
  const [row] = await db.query<{ key: number; userKey: number; userId: string; expiresAt: Date }>(
    `select s.key, s.user_key as "userKey", u.id as "userId", s.expires_at as "expiresAt"
     from sessions s join users u on u.key = s.user_key where s.hash = $1`,
    [hash],
  );
  return row && { ...row, kind: 'session', appKey: undefined, scopes: ['All'], endpoints: [] };
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  const [row] = await db.query<UserRow>('select key, id, visibility from users where id = $1', [id]);
  return row;
}

const appColumns = `a.key, a.id, a.user_key as "userKey", u.id as "userId", u.visibility as "userVisibility",
  a.visibility, a.default_language as "defaultLanguage"`;

export async function findApp(db: Db, userKey: number, id: string): Promise<AppRow | undefined> {
  const [row] = await db.query<AppRow>(
    `select ${appColumns} from apps a join users u on u.key = a.user_key
     where a.user_key = $1 and a.id = $2 and a.deleted_at is null`,
    [userKey, id],
  );
  return row;
}

export async function findAppByKey(db: Db, key: number): Promise<AppRow | undefined> {
  const [row] = await db.query<AppRow>(
    `select ${appColumns} from apps a join users u on u.key = a.user_key where a.key = $1 and a.deleted_at is null`,
    [key],
  );
  return row;
}

export async function findCollaboration(
  db: Db,
  appKey: number,
  userKey: number,
): Promise<CollaborationRow | undefined> {
  const [row] = await db.query<CollaborationRow>(
    'select scopes, endpoints from collaborators where app_key = $1 and user_key = $2 and deleted_at is null',
    [appKey, userKey],
  );
  return row;
}
