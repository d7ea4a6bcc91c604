import type { AppGrant } from '#domain/grant.ts';
import { sql } from '#store/sql.ts';

/**
 * A condition that is always true, for the WHERE of a statement that changes or deletes annotations, their labels or
 * the members of datasets: it tells the history in whose name the rest of the transaction writes.
 */
export const actingAs = (grant: AppGrant) =>
  sql`(select set_config('fovea.acting_user', ${String(grant.caller.userKey)}, true)) is not null`;
