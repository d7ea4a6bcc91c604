/**
 * Since when texts, clusters and tracks of annotations are as they are, and what they were before: `as_of` finds by
 * them too. Beside it, how far the search terms of what was stored earlier have been made.
 */
export const searchTermHistory = {
  number: 35,
  name: 'search-term-history',
  sql: `
alter table annotation_texts add column valid_from timestamptz;
update annotation_texts t set valid_from = a.valid_from from annotations a where a.key = t.annotation_key;
alter table annotation_texts alter column valid_from set not null, alter column valid_from set default now();

alter table annotation_marks add column input_key bigint, add column valid_from timestamptz;
update annotation_marks m set input_key = a.input_key, valid_from = a.valid_from from annotations a where a.key = m.annotation_key;
alter table annotation_marks alter column input_key set not null, alter column valid_from set not null;

-- Without foreign keys: rows come and go set by set, with their inputs.
create table annotation_text_versions (
  annotation_key bigint not null,
  input_key bigint not null,
  app_key bigint not null,
  words tsvector not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index annotation_text_versions_annotation on annotation_text_versions (annotation_key);
create index annotation_text_versions_input on annotation_text_versions (input_key);
create index annotation_text_versions_then on annotation_text_versions (app_key, valid_to);

create table annotation_mark_versions (
  annotation_key bigint not null,
  input_key bigint not null,
  app_key bigint not null,
  kind text not null,
  value text not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index annotation_mark_versions_annotation on annotation_mark_versions (annotation_key);
create index annotation_mark_versions_input on annotation_mark_versions (input_key);
create index annotation_mark_versions_then on annotation_mark_versions (app_key, kind, value, valid_to);

create function keep_texts() returns trigger language plpgsql as $$
begin
  insert into annotation_text_versions
  select g.annotation_key, g.input_key, g.app_keys[1], g.words, g.valid_from, next_moment(g.valid_from)
  from gone g join inputs i on i.key = g.input_key where g.source = 'annotation';
  return null;
end $$;
create trigger texts_deleted after delete on annotation_texts referencing old table as gone for each statement execute function keep_texts();

create function keep_marks() returns trigger language plpgsql as $$
begin
  insert into annotation_mark_versions
  select g.annotation_key, g.input_key, g.app_key, g.kind, g.value, g.valid_from, next_moment(g.valid_from)
  from gone g join inputs i on i.key = g.input_key;
  return null;
end $$;
create trigger marks_deleted after delete on annotation_marks referencing old table as gone for each statement execute function keep_marks();

create function forget_terms() returns trigger language plpgsql as $$
begin
  delete from annotation_text_versions v using gone g where v.input_key = g.key;
  delete from annotation_mark_versions v using gone g where v.input_key = g.key;
  return null;
end $$;
create trigger input_terms_forgotten after delete on inputs referencing old table as gone for each statement execute function forget_terms();

-- The text of an input itself never changes, so it counts at any time.
create function texts_as_of(p_app bigint, p_at timestamptz) returns table (
  annotation_key bigint, input_key bigint, app_keys bigint[], words tsvector)
language sql stable parallel safe rows 10000 as $$
  select annotation_key, input_key, app_keys, words
  from annotation_texts where app_keys @> array[p_app] and (source = 'input' or valid_from <= p_at)
  union all
  select annotation_key, input_key, array[app_key], words
  from annotation_text_versions where app_key = p_app and valid_from <= p_at and valid_to > p_at
$$;

create function marks_as_of(p_app bigint, p_at timestamptz) returns table (
  annotation_key bigint, kind text, value text)
language sql stable parallel safe rows 10000 as $$
  select annotation_key, kind, value from annotation_marks where app_key = p_app and valid_from <= p_at
  union all
  select annotation_key, kind, value
  from annotation_mark_versions where app_key = p_app and valid_from <= p_at and valid_to > p_at
$$;

-- What was stored before it had search terms, or before their history was kept: keys after next_key up to until_key.
create table search_term_backfills (
  kind text primary key,
  next_key bigint not null,
  until_key bigint not null
);
insert into search_term_backfills
select 'annotations', 0, coalesce(max(key), 0) from annotations
union all select 'versions', 0, coalesce(max(version), 0) from annotation_versions
union all select 'inputs', 0, coalesce(max(key), 0) from inputs;
`,
};
