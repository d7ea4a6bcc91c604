import type { AppGrant } from '#domain/grant.ts';
import type { PicturePrint } from '#engine/prints/index.ts';
import { type Db, run, sql } from '#store/sql.ts';

/** Stores what pictures are found again by; those of inputs that are gone are passed over. */
export async function putPrints(
  db: Db,
  grant: AppGrant,
  prints: readonly { inputKey: number; print: PicturePrint }[],
): Promise<void> {
  if (prints.length === 0) return;
  await run(
    db,
    sql`insert into picture_prints (input_key, app_key, hash, grey)
        select p.input_key, ${grant.appKey}, p.hash, p.grey
        from unnest(${prints.map(({ inputKey }) => inputKey)}::bigint[],
          ${prints.map(({ print }) => String(BigInt.asIntN(64, print.hash)))}::bigint[],
          ${prints.map(({ print }) => print.grey)}::bytea[]) as p(input_key, hash, grey)
        join inputs i on i.key = p.input_key and i.app_key = ${grant.appKey}
        order by p.input_key on conflict (input_key) do update set hash = excluded.hash, grey = excluded.grey`,
  );
}
