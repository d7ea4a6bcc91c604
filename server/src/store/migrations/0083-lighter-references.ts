/**
 * What 0071 checks once per statement, with one look at each row in place of two. Rows that this transaction made
 * can be seen by nobody who might delete them; the others are held, and were deleted meanwhile where fewer could be
 * held than were seen.
 */
export const lighterReferences = {
  number: 83,
  name: 'lighter-references',
  sql: `
create or replace function check_owners_of_annotations() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  own xid := pg_current_xact_id()::xid;
  owners bigint[];
  others bigint[];
  held bigint;
  missing bigint;
begin
  select array_agg(distinct app_key) into owners from fresh;
  perform from apps where key = any(owners) order by key for key share;
  get diagnostics held = row_count;
  if held < cardinality(owners) then
    select o into missing from unnest(owners) o where not exists (select from apps where key = o) limit 1;
    perform refuse_reference('app', missing);
  end if;
  select array_agg(distinct worker_user_key) filter (where worker_user_key is not null) into owners from fresh;
  perform from users where key = any(owners) order by key for key share;
  get diagnostics held = row_count;
  if held < cardinality(owners) then
    select o into missing from unnest(owners) o where not exists (select from users where key = o) limit 1;
    perform refuse_reference('user', missing);
  end if;
  select min(f.input_key) filter (where i.key is null), array_agg(i.key) filter (where i.xmin <> own)
  into missing, others
  from (select distinct input_key from fresh) f left join inputs i on i.key = f.input_key;
  if missing is null and others is not null then
    perform from inputs where key = any(others) order by key for key share;
    get diagnostics held = row_count;
    if held < cardinality(others) then
      select o into missing from unnest(others) o where not exists (select from inputs where key = o) limit 1;
    end if;
  end if;
  if missing is not null then perform refuse_reference('input', missing); end if;
  return null;
end $$;

create or replace function check_annotations_of_labels() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  own xid := pg_current_xact_id()::xid;
  others bigint[];
  held bigint;
  missing bigint;
begin
  select min(f.annotation_key) filter (where a.key is null), array_agg(distinct a.key) filter (where a.xmin <> own)
  into missing, others
  from fresh f left join annotations a on a.key = f.annotation_key;
  if missing is null and others is not null then
    perform from annotations where key = any(others) order by key for key share;
    get diagnostics held = row_count;
    if held < cardinality(others) then
      select o into missing from unnest(others) o where not exists (select from annotations where key = o) limit 1;
    end if;
  end if;
  if missing is not null then perform refuse_reference('annotation', missing); end if;
  return null;
end $$;
`,
};
