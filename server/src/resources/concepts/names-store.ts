import type { AppGrant } from '#domain/grant.ts';
import { RawColumns, type RawReads } from '#store/postgres/index.ts';

// The row is looked up for each pair, so that no plan reads more of the table than was asked for.
const nameById = {
  name: 'concept-name-by-id',
  text: `select a.n, c.name from unnest($1::bigint[], $2::text[]) with ordinality as a(app_key, id, n)
    cross join lateral (
      select c.name from concepts c where c.app_key = a.app_key and c.id = a.id limit 1
    ) c`,
};

/** The name of a concept in UTF-8, of use for any reply that shows labels; undefined where the app has none such. */
export async function conceptName(
  db: RawReads,
  grant: AppGrant,
  id: string,
): Promise<Uint8Array | undefined> {
  const row = await db.rawTogether(nameById, grant.appKey, id);
  if (!row) return undefined;
  const columns = new RawColumns().read(row);
  columns.next();
  columns.next();
  return columns.bytes.subarray(columns.start, columns.end);
}
