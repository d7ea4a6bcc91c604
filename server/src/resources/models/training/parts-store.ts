import { createHash } from 'node:crypto';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { contentKey, type ObjectStore } from '#store/objects/index.ts';
import type { Database } from '#store/postgres/index.ts';
import { type Db, rows, run, sql } from '#store/sql.ts';

/**
 * Stores what a training made. It is written down as stored before it is, so that what a crash leaves behind is found
 * by the sweep.
 *
 * @returns the SHA-256 that names it
 */
export async function keepPart(
  { db, objects }: { readonly db: Database; readonly objects: ObjectStore },
  _grant: AppGrant,
  bytes: Uint8Array,
): Promise<Buffer> {
  const sha = createHash('sha256').update(bytes).digest();
  await run(
    db,
    sql`insert into trained_parts (sha) values (${sha}) on conflict (sha) do update set kept_at = now()`,
  );
  mayDie('training-part-due');
  await objects.putContent(bytes);
  return sha;
}

/** What no version refers to any more, as its own or as what its embedder stands on, and was not stored only just now: its version may still be written. */
const unused = sql`not exists (select 1 from model_versions v where v.head_sha = p.sha)
  and not exists (select 1 from model_versions v where v.builtin like '%+%' and position(encode(p.sha, 'hex') in v.builtin) > 0)
  and p.kept_at < now() - interval '1 hour'`;

/** Deletes trained parts of versions that are gone. @returns how many */
export async function sweepParts(
  { db, objects }: { readonly db: Database; readonly objects: ObjectStore },
  signal: AbortSignal,
): Promise<number> {
  const candidates = await rows<{ sha: Buffer }>(
    db,
    sql`select p.sha from trained_parts p where ${unused} order by p.sha limit 1000`,
  );
  let gone = 0;
  for (const { sha } of candidates) {
    signal.throwIfAborted();
    await db.transaction(async (tx) => {
      // Whoever stores the same part again waits for this row, and stores it anew.
      const held = await lockUnused(tx, sha);
      if (!held) return;
      await objects.delete(contentKey(sha.toString('hex')));
      await run(tx, sql`delete from trained_parts where sha = ${sha}`);
      gone += 1;
    });
  }
  return gone;
}

async function lockUnused(tx: Db, sha: Buffer): Promise<boolean> {
  const found = await rows(
    tx,
    sql`select 1 from trained_parts p where p.sha = ${sha} and ${unused} for update`,
  );
  return found.length > 0;
}
