import { toBinary } from '@bufbuild/protobuf';
import { type ComputeSourceMetadata, ComputeSourceMetadataSchema } from '@fovea/contract';
import type { UserGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';
import { digestOf, type LogSource } from './log-source.ts';

export interface PostedLine {
  readonly source: LogSource;
  readonly message: string;
  readonly meta: ComputeSourceMetadata;
}

/** Keeps lines, in their order. */
export async function insertLines(db: Db, grant: UserGrant, lines: readonly PostedLine[]): Promise<void> {
  const metas = lines.map(({ meta }) =>
    Buffer.from(toBinary(ComputeSourceMetadataSchema, meta)).toString('hex'),
  );
  await run(
    db,
    sql`insert into log_entries (user_key, log_type, source, message, meta)
        select ${grant.userKey}, n.log_type, decode(n.source, 'hex'), n.message, decode(n.meta, 'hex')
        from unnest(${lines.map(({ source }) => source.logType)}::text[],
          ${lines.map(({ source }) => digestOf(source).toString('hex'))}::text[],
          ${lines.map(({ message }) => message)}::text[], ${metas}::text[])
          with ordinality as n(log_type, source, message, meta, place)
        order by n.place`,
  );
}

export async function countLines(db: Db, grant: UserGrant, source: LogSource): Promise<number> {
  const row = await first<{ n: number }>(
    db,
    sql`select count(*)::int as n from log_entries
        where user_key = ${grant.userKey} and source = ${digestOf(source)}`,
  );
  return row?.n ?? 0;
}

/** One page of the lines of a source, oldest first. */
export const pageOfLines = (
  db: Db,
  grant: UserGrant,
  source: LogSource,
  page: Page,
): Promise<{ message: string; meta: Buffer }[]> =>
  rows<{ message: string; meta: Buffer }>(
    db,
    sql`select l.message, l.meta from ${pageKeys(
      'log_entries',
      sql`user_key = ${grant.userKey} and source = ${digestOf(source)}`,
      sql`key`,
      page,
    )} p join log_entries l using (key) order by p.position`,
  );
