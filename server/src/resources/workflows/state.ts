import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { type Db, first, run, sql } from '#store/sql.ts';
import { workflowFault } from './faults.ts';

const life = sql`now() + interval '5 minutes'`;

/**
 * The state that a run goes on with: a new one for `init`, else the one named, which lives on for five minutes.
 *
 * @throws Fault 11101 for a state that ended, or never was
 */
export async function continueState(db: Db, grant: AppGrant, asked: string): Promise<string> {
  if (asked === 'init' || asked === '') {
    const id = newId();
    await run(db, sql`delete from workflow_states where expires_at < now()`);
    await run(
      db,
      sql`insert into workflow_states (app_key, id, expires_at) values (${grant.appKey}, ${id}, ${life})`,
    );
    return id;
  }
  const found = await first(
    db,
    sql`update workflow_states set expires_at = ${life}
        where app_key = ${grant.appKey} and id = ${asked} and expires_at >= now() returning id`,
  );
  if (!found) throw workflowFault.noState(asked);
  return asked;
}
