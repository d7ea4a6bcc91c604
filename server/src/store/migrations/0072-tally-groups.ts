/**
 * Inputs are counted by 32,768 keys as well, so that the way to a page far down adds up a few dozen counts, not one for
 * each 1,024 keys of the app. Bucket -2 - g holds the keys from g * 32,768; -1 stays the whole app,
 * whose counts are locked first: a deletion locks those before anything else.
 */
export const tallyGroups = {
  number: 72,
  name: 'tally-groups',
  sql: `
lock table inputs, input_tallies in share row exclusive mode;

create or replace function tally_inputs() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into input_tallies as t (app_key, bucket, status_code, n)
    select app_key, b.bucket, status_code, count(*)
    from fresh, lateral (values (key >> 10), (-2 - (key >> 15)), (-1)) as b(bucket)
    group by 1, 2, 3 order by app_key, b.bucket <> -1, b.bucket, status_code
    on conflict (app_key, bucket, status_code) do update set n = t.n + excluded.n;
  elsif tg_op = 'DELETE' then
    insert into input_tallies as t (app_key, bucket, status_code, n)
    select app_key, b.bucket, status_code, -count(*)
    from gone, lateral (values (key >> 10), (-2 - (key >> 15)), (-1)) as b(bucket)
    group by 1, 2, 3 order by app_key, b.bucket <> -1, b.bucket, status_code
    on conflict (app_key, bucket, status_code) do update set n = t.n + excluded.n;
  else
    insert into input_tallies as t (app_key, bucket, status_code, n)
    select app_key, b.bucket, status_code, sum(n) from (
      select app_key, key, status_code, 1 as n from fresh
      union all select app_key, key, status_code, -1 from gone) s,
      lateral (values (key >> 10), (-2 - (key >> 15)), (-1)) as b(bucket)
    group by 1, 2, 3 having sum(n) <> 0 order by app_key, b.bucket <> -1, b.bucket, status_code
    on conflict (app_key, bucket, status_code) do update set n = t.n + excluded.n;
  end if;
  return null;
end $$;

insert into input_tallies (app_key, bucket, status_code, n)
select app_key, -2 - (bucket >> 5), status_code, sum(n) from input_tallies where bucket >= 0
group by 1, 2, 3 having sum(n) <> 0;
`,
};
