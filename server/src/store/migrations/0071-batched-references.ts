/**
 * Inputs, annotations and their labels refer to what has to be there, checked once per statement instead of once per
 * row: with 128 inputs, each with its annotation, that was 512 look-ups. It means the same as the foreign keys it replaces: what is
 * referred to is held until the commit, what is missing is refused with the same code (23503), and what refers to
 * something that goes, goes with it. Their plans are kept from the first use on, when tables may be empty: so they are
 * told to walk the index.
 */
export const batchedReferences = {
  number: 71,
  name: 'batched-references',
  sql: `
alter table inputs drop constraint inputs_app_key_fkey;
alter table annotations drop constraint annotations_app_key_fkey, drop constraint annotations_input_key_fkey,
  drop constraint annotations_worker_user_key_fkey;
alter table annotation_concepts drop constraint annotation_concepts_annotation_key_fkey;

create function refuse_reference(p_what text, p_key bigint) returns void language plpgsql as $$
begin
  raise foreign_key_violation using message = format('there is no %s %s', p_what, p_key);
end $$;

create function check_apps_of_inputs() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  missing bigint;
begin
  perform from apps where key in (select app_key from fresh) order by key for key share;
  select f.app_key into missing from (select distinct app_key from fresh) f
  where not exists (select from apps a where a.key = f.app_key) limit 1;
  if found then perform refuse_reference('app', missing); end if;
  return null;
end $$;
create trigger inputs_refer after insert on inputs referencing new table as fresh for each statement execute function check_apps_of_inputs();

create function check_owners_of_annotations() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  missing bigint;
begin
  perform from apps where key in (select app_key from fresh) order by key for key share;
  perform from users where key in (select worker_user_key from fresh) order by key for key share;
  -- Inputs that this transaction made can be seen by nobody who might delete them.
  perform from inputs where key in (select input_key from fresh)
    and xmin::text::bigint <> pg_current_xact_id()::text::bigint % 4294967296 order by key for key share;
  select f.input_key into missing from fresh f where not exists (select from inputs i where i.key = f.input_key) limit 1;
  if found then perform refuse_reference('input', missing); end if;
  select f.app_key into missing from (select distinct app_key from fresh) f
  where not exists (select from apps a where a.key = f.app_key) limit 1;
  if found then perform refuse_reference('app', missing); end if;
  select f.worker_user_key into missing from (select distinct worker_user_key from fresh where worker_user_key is not null) f
  where not exists (select from users u where u.key = f.worker_user_key) limit 1;
  if found then perform refuse_reference('user', missing); end if;
  return null;
end $$;
create trigger annotations_refer after insert on annotations referencing new table as fresh for each statement execute function check_owners_of_annotations();

create function check_annotations_of_labels() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  missing bigint;
begin
  perform from annotations where key in (select annotation_key from fresh)
    and xmin::text::bigint <> pg_current_xact_id()::text::bigint % 4294967296 order by key for key share;
  select f.annotation_key into missing from fresh f
  where not exists (select from annotations a where a.key = f.annotation_key) limit 1;
  if found then perform refuse_reference('annotation', missing); end if;
  return null;
end $$;
create trigger labels_refer after insert on annotation_concepts referencing new table as fresh for each statement execute function check_annotations_of_labels();

create function delete_labels_of_annotations() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  delete from annotation_concepts l using gone g where l.annotation_key = g.key;
  return null;
end $$;
create trigger annotations_take_labels after delete on annotations referencing old table as gone for each statement execute function delete_labels_of_annotations();

create function delete_inputs_of_apps() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  delete from inputs i using gone g where i.app_key = g.key;
  delete from annotations a using gone g where a.app_key = g.key;
  return null;
end $$;
create trigger apps_take_inputs after delete on apps referencing old table as gone for each statement execute function delete_inputs_of_apps();

create function delete_annotations_of_inputs() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  delete from annotations a using gone g where a.input_key = g.key;
  return null;
end $$;
create trigger inputs_take_annotations after delete on inputs referencing old table as gone for each statement execute function delete_annotations_of_inputs();

create function keep_users_of_annotations() returns trigger language plpgsql as $$
begin
  if exists (select from annotations a join gone g on a.worker_user_key = g.key) then
    raise foreign_key_violation using message = 'annotations name this user as their worker';
  end if;
  return null;
end $$;
create trigger users_stay after delete on users referencing old table as gone for each statement execute function keep_users_of_annotations();

-- References never move.
create function refuse_moved_reference() returns trigger language plpgsql as $$
begin
  raise feature_not_supported using message = format('rows of %s stay with what they belong to', tg_table_name);
end $$;
create trigger inputs_stay before update of app_key on inputs for each row when (old.app_key <> new.app_key) execute function refuse_moved_reference();
create trigger annotations_stay before update of app_key, input_key on annotations for each row
  when (old.app_key <> new.app_key or old.input_key <> new.input_key) execute function refuse_moved_reference();
create trigger labels_stay before update of annotation_key on annotation_concepts for each row
  when (old.annotation_key <> new.annotation_key) execute function refuse_moved_reference();
`,
};
