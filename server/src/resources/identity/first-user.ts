import { randomBytes } from 'node:crypto';
import type { Database } from '#store/postgres/index.ts';
import type { Sealer } from '../common/sealer.ts';
import { hashSecret } from '../common/sealer.ts';

/** The token is shown by the caller; it is in the database as hash and sealed copy only. */
export interface FirstUser {
  readonly userId: string;
  readonly pat: string;
  readonly isNew: boolean;
}

const patType = 'personal_access_token';
const patDescription = 'First token, made at start';

/** A new secret for a key: 32 hex digits, as the live service makes them. */
export const newSecret = (): string => randomBytes(16).toString('hex');

/**
 * Sees to it that the first user and a token with every scope exist. `pat` replaces the token of an earlier
 * start when it differs; left out, the earlier one is kept or a new one made. Runs safely twice and in two processes.
 */
export async function ensureFirstUser(
  db: Database,
  sealer: Sealer,
  wanted: { userId: string; pat?: string | undefined },
): Promise<FirstUser> {
  return db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('fovea first user'))`);
    await tx.query('insert into users (id) values ($1) on conflict (id) do nothing', [wanted.userId]);
    const [user] = await tx.query<{ key: number }>('select key from users where id = $1', [wanted.userId]);
    const userKey = (user as { key: number }).key;
    const [kept] = await tx.query<{ key: number; sealed: Buffer }>(
      'select key, sealed from keys where user_key = $1 and type = $2 and description = $3 order by key limit 1',
      [userKey, patType, patDescription],
    );
    if (kept) {
      const pat = sealer.unseal(kept.sealed);
      if (!wanted.pat || wanted.pat === pat) return { userId: wanted.userId, pat, isNew: false };
      await tx.query('update keys set hash = $2, sealed = $3, modified_at = now() where key = $1', [
        kept.key,
        hashSecret(wanted.pat),
        sealer.seal(wanted.pat),
      ]);
      await tx.query('delete from sessions where opened_by = $1', [kept.key]);
      return { userId: wanted.userId, pat: wanted.pat, isNew: true };
    }
    const pat = wanted.pat ?? newSecret();
    await tx.query(
      `insert into keys (hash, sealed, user_key, type, description, scopes) values ($1, $2, $3, $4, $5, '{All}')`,
      [hashSecret(pat), sealer.seal(pat), userKey, patType, patDescription],
    );
    return { userId: wanted.userId, pat, isNew: true };
  });
}

/** The user and the app that hold the platform's own models and workflows; clients name them by these ids. */
export const platform = { userId: 'clarifai', appId: 'main' } as const;

/** Sees to it that `clarifai/main` exists and is public. @returns the app's key */
export async function ensurePlatformApp(db: Database): Promise<number> {
  return db.transaction(async (tx) => {
    await tx.query(`insert into users (id, visibility) values ($1, 50) on conflict (id) do nothing`, [
      platform.userId,
    ]);
    await tx.query(
      `insert into apps (user_key, id, name, visibility) select key, $2, $2, 50 from users where id = $1
       on conflict (user_key, id) where deleted_at is null do nothing`,
      [platform.userId, platform.appId],
    );
    const [app] = await tx.query<{ key: number }>(
      'select a.key from apps a join users u on u.key = a.user_key where u.id = $1 and a.id = $2 and a.deleted_at is null',
      [platform.userId, platform.appId],
    );
    return (app as { key: number }).key;
  });
}

/** Makes a user with a first token that holds every scope. @returns false when the id or the email is taken */
export async function addUser(
  db: Database,
  sealer: Sealer,
  wanted: { id: string; email: string | undefined; visibility: number; secret: string },
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const [user] = await tx.query<{ key: number }>(
      'insert into users (id, email, visibility) values ($1, $2, $3) on conflict do nothing returning key',
      [wanted.id, wanted.email ?? null, wanted.visibility],
    );
    if (!user) return false;
    await tx.query(
      `insert into keys (hash, sealed, user_key, type, description, scopes) values ($1, $2, $3, $4, $5, '{All}')`,
      [hashSecret(wanted.secret), sealer.seal(wanted.secret), user.key, patType, patDescription],
    );
    return true;
  });
}
