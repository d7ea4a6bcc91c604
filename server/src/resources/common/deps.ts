import type { UserGrant } from '#domain/grant.ts';
import type { Log } from '#store/log.ts';
import type { Database } from '#store/postgres/index.ts';
import type { Sealer } from './sealer.ts';

/** What `main.ts` hands to every family. Families ask for more in their own `open…` functions. */
export interface Deps {
  readonly db: Database;
  readonly log: Log;
  readonly sealer: Sealer;
  /** Base of every URL we hand out to a caller (hosted media, logs), without a trailing slash. */
  readonly publicUrl: (grant: UserGrant) => string;
}
