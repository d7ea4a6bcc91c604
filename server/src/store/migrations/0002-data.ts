/**
 * Concepts, inputs, annotations, embeddings, datasets.
 *
 * Counters are kept by statement triggers in the transaction that changes the rows, so they are exact on every
 * path. Tallies of inputs are kept per 1,024 neighbouring keys: summing a few of them finds any page of an app
 * without OFFSET. Rows are locked in key order to keep concurrent batches from deadlocking.
 */
export const data = {
  number: 2,
  name: 'data',
  sql: `
create table concepts (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  name text not null,
  language text not null default 'en',
  body bytea not null default '',
  visibility smallint not null default 10,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index concepts_name on concepts (app_key, name);
create index concepts_order on concepts (app_key, key);

create table concept_languages (
  app_key bigint not null,
  concept_id text not null,
  id text not null,
  name text not null,
  definition text not null default '',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  primary key (app_key, concept_id, id),
  foreign key (app_key, concept_id) references concepts (app_key, id) on delete cascade
);

create table inputs_add_jobs (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  pending_count bigint not null default 0,
  in_progress_count bigint not null default 0,
  success_count bigint not null default 0,
  failed_count bigint not null default 0,
  status_code int not null default 64001,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index inputs_add_jobs_order on inputs_add_jobs (app_key, key);

create table inputs (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  kind text not null,
  status_code int not null,
  status_details text not null default '',
  url text not null default '',
  allow_duplicate_url boolean not null default false,
  -- SHA-256 of the original bytes in the object store; null until they are there.
  media_sha bytea,
  media_size bigint,
  -- Data message with nothing but the media (image, text, video, audio), less url, bytes and hosted.
  media bytea not null default '',
  settings bytea not null default '',
  add_job_key bigint references inputs_add_jobs on delete set null,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index inputs_order on inputs (app_key, key);
create index inputs_status on inputs (app_key, status_code, key);
create index inputs_url on inputs (app_key, md5(url)) where url <> '';
create index inputs_media on inputs (media_sha, app_key) where media_sha is not null;
create index inputs_modified on inputs (app_key, modified_at);

-- bucket = key >> 10; bucket -1 is the whole app.
create table input_tallies (
  app_key bigint not null,
  bucket bigint not null,
  status_code int not null,
  n bigint not null,
  primary key (app_key, bucket, status_code)
);

create function tally_inputs() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into input_tallies as t (app_key, bucket, status_code, n)
    select app_key, bucket, status_code, sum(n) from (
      select app_key, key >> 10 as bucket, status_code, 1 as n from fresh
      union all select app_key, -1, status_code, 1 from fresh) s
    group by 1, 2, 3 order by 1, 2, 3
    on conflict (app_key, bucket, status_code) do update set n = t.n + excluded.n;
  elsif tg_op = 'DELETE' then
    insert into input_tallies as t (app_key, bucket, status_code, n)
    select app_key, bucket, status_code, sum(n) from (
      select app_key, key >> 10 as bucket, status_code, -1 as n from gone
      union all select app_key, -1, status_code, -1 from gone) s
    group by 1, 2, 3 order by 1, 2, 3
    on conflict (app_key, bucket, status_code) do update set n = t.n + excluded.n;
  else
    insert into input_tallies as t (app_key, bucket, status_code, n)
    select app_key, bucket, status_code, sum(n) from (
      select app_key, key >> 10 as bucket, status_code, 1 as n from fresh
      union all select app_key, -1, status_code, 1 from fresh
      union all select app_key, key >> 10, status_code, -1 from gone
      union all select app_key, -1, status_code, -1 from gone) s
    group by 1, 2, 3 having sum(n) <> 0 order by 1, 2, 3
    on conflict (app_key, bucket, status_code) do update set n = t.n + excluded.n;
  end if;
  return null;
end $$;
create trigger inputs_tallied_in after insert on inputs referencing new table as fresh for each statement execute function tally_inputs();
create trigger inputs_tallied_out after delete on inputs referencing old table as gone for each statement execute function tally_inputs();
create trigger inputs_tallied_moved after update on inputs referencing old table as gone new table as fresh for each statement execute function tally_inputs();

create table annotations (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  input_key bigint not null references inputs on delete cascade,
  input_id text not null,
  id text not null,
  input_level boolean not null default false,
  trusted boolean not null default true,
  status_code int not null default 24150,
  -- Who made it: exactly one of a user, a model version, a workflow version.
  worker_user_key bigint references users,
  worker_model_version_key bigint,
  worker_workflow_version_key bigint,
  task_id text not null default '',
  -- What it holds, a bit each (domain/annotation-kinds.ts); 0 means no space-time info.
  kinds int not null default 0,
  metadata jsonb,
  latitude double precision,
  longitude double precision,
  annotation_info jsonb,
  consensus_info jsonb,
  -- The contract's Data message in full.
  data bytea not null default '',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (input_key, id)
);
create index annotations_order on annotations (app_key, key);
create unique index annotations_input_level on annotations (input_key) where input_level;
create index annotations_unfinished on annotations (app_key, status_code, key) where status_code <> 24150;
create index annotations_metadata on annotations using gin (metadata jsonb_path_ops) with (fastupdate = off) where metadata is not null;
create index annotations_place on annotations (app_key, latitude, longitude) where latitude is not null;
create index annotations_id on annotations (app_key, id);
-- An annotation has one worker, so it stands in one of these three.
create index annotations_user on annotations (app_key, worker_user_key, key) where worker_user_key is not null;
create index annotations_model on annotations (app_key, worker_model_version_key, key) where worker_model_version_key is not null;
create index annotations_workflow on annotations (app_key, worker_workflow_version_key, key) where worker_workflow_version_key is not null;
create index annotations_task on annotations (app_key, task_id, key) where task_id <> '';

create table annotation_concepts (
  app_key bigint not null,
  annotation_key bigint not null references annotations on delete cascade,
  input_key bigint not null,
  concept_id text not null,
  position int not null default 0,
  value real not null,
  trusted boolean not null,
  primary key (annotation_key, concept_id)
);
create index annotation_concepts_find on annotation_concepts (app_key, concept_id, trusted, value, input_key);
create index annotation_concepts_input on annotation_concepts (input_key);

-- What inputs are to the counters, by status: 0 processed, 1 to process, 2 processing, 3 errors.
create function input_state(status_code int) returns smallint language sql immutable parallel safe as $$
  select case status_code when 30000 then 0 when 30001 then 1 when 30003 then 2 else 3 end::smallint
$$;

-- Each input once per concept: how many trusted labels say yes (value 0.5 and more) and how many say no.
create table input_concepts (
  input_key bigint not null references inputs on delete cascade,
  concept_id text not null,
  app_key bigint not null,
  state smallint not null,
  positive int not null,
  negative int not null,
  primary key (input_key, concept_id)
) with (fillfactor = 80);

-- Inputs per concept and state. Writers of one label add to different slots (by backend), so that they do not wait for each other.
create table concept_tallies (
  app_key bigint not null,
  concept_id text not null,
  state smallint not null,
  slot smallint not null,
  positive bigint not null default 0,
  negative bigint not null default 0,
  primary key (app_key, concept_id, state, slot)
) with (fillfactor = 50);

-- Labels to inputs. The inputs are locked (share), so that none changes its state between our look and our commit.
create function count_labels() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform add_labels(array_agg(app_key), array_agg(input_key), array_agg(concept_id),
      array_agg(case when value >= 0.5 then 1 else 0 end), array_agg(case when value >= 0.5 then 0 else 1 end))
    from fresh where trusted having count(*) > 0;
  elsif tg_op = 'DELETE' then
    perform add_labels(array_agg(app_key), array_agg(input_key), array_agg(concept_id),
      array_agg(case when value >= 0.5 then -1 else 0 end), array_agg(case when value >= 0.5 then 0 else -1 end))
    from gone where trusted having count(*) > 0;
  else
    perform add_labels(array_agg(app_key), array_agg(input_key), array_agg(concept_id),
      array_agg(case when value >= 0.5 then sign else 0 end), array_agg(case when value >= 0.5 then 0 else sign end))
    from (select *, 1 as sign from fresh union all select *, -1 from gone) s where trusted having count(*) > 0;
  end if;
  return null;
end $$;

create function add_labels(p_apps bigint[], p_inputs bigint[], p_concepts text[], p_yes int[], p_no int[])
returns void language plpgsql as $$
begin
  perform from inputs where key = any(p_inputs) order by key for share;
  -- An input that is being deleted takes its counts along by itself.
  insert into input_concepts as t (input_key, concept_id, app_key, state, positive, negative)
  select i.key, l.concept_id, l.app_key, input_state(i.status_code), l.yes, l.no
  from (
    select app_key, input_key, concept_id, sum(yes)::int as yes, sum(no)::int as no
    from unnest(p_apps, p_inputs, p_concepts, p_yes, p_no) as u(app_key, input_key, concept_id, yes, no)
    group by 1, 2, 3
  ) l join inputs i on i.key = l.input_key
  where l.yes <> 0 or l.no <> 0
  order by 1, 2
  on conflict (input_key, concept_id)
  do update set positive = t.positive + excluded.positive, negative = t.negative + excluded.negative;
  if -1 = any(p_yes) or -1 = any(p_no) then
    delete from input_concepts t using unnest(p_inputs, p_concepts) as u(input_key, concept_id)
    where t.input_key = u.input_key and t.concept_id = u.concept_id and t.positive = 0 and t.negative = 0;
  end if;
end $$;

create trigger labels_counted_in after insert on annotation_concepts referencing new table as fresh for each statement execute function count_labels();
create trigger labels_counted_out after delete on annotation_concepts referencing old table as gone for each statement execute function count_labels();
create trigger labels_counted_moved after update on annotation_concepts referencing old table as gone new table as fresh for each statement execute function count_labels();

-- Inputs that change their state take their labels along.
create function move_input_concepts() returns trigger language plpgsql as $$
begin
  update input_concepts t set state = input_state(f.status_code)
  from fresh f join gone g using (key)
  where t.input_key = f.key and f.status_code <> g.status_code and t.state <> input_state(f.status_code);
  return null;
end $$;
create trigger inputs_labels_moved after update on inputs referencing old table as gone new table as fresh for each statement execute function move_input_concepts();

create function tally_concepts() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform add_concept_tallies(array_agg(app_key), array_agg(concept_id), array_agg(state),
      array_agg((positive > 0)::int), array_agg((negative > 0)::int)) from fresh having count(*) > 0;
  elsif tg_op = 'DELETE' then
    perform add_concept_tallies(array_agg(app_key), array_agg(concept_id), array_agg(state),
      array_agg(-(positive > 0)::int), array_agg(-(negative > 0)::int)) from gone having count(*) > 0;
  else
    perform add_concept_tallies(array_agg(app_key), array_agg(concept_id), array_agg(state),
      array_agg(sign * (positive > 0)::int), array_agg(sign * (negative > 0)::int))
    from (select *, 1 as sign from fresh union all select *, -1 from gone) s having count(*) > 0;
  end if;
  return null;
end $$;

create function add_concept_tallies(p_apps bigint[], p_concepts text[], p_states smallint[], p_yes int[], p_no int[])
returns void language sql as $$
  insert into concept_tallies as t (app_key, concept_id, state, slot, positive, negative)
  select app_key, concept_id, state, pg_backend_pid() % 16, sum(yes), sum(no)
  from unnest(p_apps, p_concepts, p_states, p_yes, p_no) as u(app_key, concept_id, state, yes, no)
  group by 1, 2, 3 having sum(yes) <> 0 or sum(no) <> 0 order by 1, 2, 3
  on conflict (app_key, concept_id, state, slot)
  do update set positive = t.positive + excluded.positive, negative = t.negative + excluded.negative
$$;

create trigger concepts_tallied_in after insert on input_concepts referencing new table as fresh for each statement execute function tally_concepts();
create trigger concepts_tallied_out after delete on input_concepts referencing old table as gone for each statement execute function tally_concepts();
create trigger concepts_tallied_moved after update on input_concepts referencing old table as gone new table as fresh for each statement execute function tally_concepts();

-- The truth about vectors; indexes are derived. xid lets an index catch up without missing a slow committer.
create table embeddings (
  key bigint generated always as identity primary key,
  app_key bigint not null,
  model_version_key bigint not null,
  input_key bigint not null,
  annotation_key bigint not null references annotations on delete cascade,
  xid xid8 not null default pg_current_xact_id(),
  vector bytea not null,
  unique (annotation_key, model_version_key)
);
create index embeddings_catch_up on embeddings (app_key, model_version_key, xid);
create index embeddings_input on embeddings (input_key);

create table datasets (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  body bytea not null default '',
  words tsvector not null default '',
  visibility smallint not null default 10,
  is_bookmark boolean not null default false,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);

create table dataset_inputs (
  key bigint generated always as identity primary key,
  app_key bigint not null,
  dataset_key bigint not null references datasets on delete cascade,
  input_key bigint not null references inputs on delete cascade,
  created_at timestamptz(3) not null default now(),
  unique (dataset_key, input_key)
);
create index dataset_inputs_order on dataset_inputs (dataset_key, key);
create index dataset_inputs_input on dataset_inputs (input_key);

create table dataset_versions (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  dataset_key bigint not null references datasets on delete cascade,
  id text not null,
  status_code int not null,
  body bytea not null default '',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (dataset_key, id)
);

create table saved_searches (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  kind text not null,
  id text not null,
  body bytea not null,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
`,
};
