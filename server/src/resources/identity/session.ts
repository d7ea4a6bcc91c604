import { randomBytes } from 'node:crypto';
import type { Caller } from '#domain/grant.ts';
import { type Db, run, sql } from '#store/sql.ts';
import { hashSecret } from '../common/sealer.ts';

const lifeMs = 30 * 24 * 3600 * 1000;

/** Opens a session for somebody who signed in with a token, and ends with that token. Only its hash is kept. */
export async function openSession(db: Db, caller: Caller): Promise<{ token: string; expiresAt: Date }> {
  const token = randomBytes(32).toString('hex');
  const expiresAt = new Date(Date.now() + lifeMs);
  await run(db, sql`delete from sessions where expires_at < now()`);
  await run(
    db,
    sql`insert into sessions (hash, user_key, opened_by, expires_at)
        values (${hashSecret(token)}, ${caller.userKey}, ${caller.credentialKey}, ${expiresAt})`,
  );
  return { token, expiresAt };
}
