/**
 * What annotations, their labels and the members of datasets were before: each row knows since when it is as it is
 * and by whom, and what a change or a deletion ends is kept beside it with the time of the end. A row that is only
 * inserted costs two columns and nothing more.
 *
 * One moment per transaction (its start), so that no moment shows half of one; a row that another transaction
 * changed meanwhile moves a microsecond past that change. The history of an input, a dataset or an app goes with it.
 */
export const history = {
  number: 17,
  name: 'history',
  sql: `
-- The user in whose name the transaction writes; null where the writer did not say.
create function acting_user() returns bigint language sql stable parallel safe as $$
  select nullif(current_setting('fovea.acting_user', true), '')::bigint
$$;
create function next_moment(p_before timestamptz) returns timestamptz language sql stable parallel safe as $$
  select greatest(now(), p_before + interval '1 microsecond')
$$;

alter table annotations add column valid_from timestamptz, add column changed_by bigint;
update annotations set valid_from = created_at;
alter table annotations alter column valid_from set not null, alter column valid_from set default now(),
  alter column changed_by set default acting_user();

alter table annotation_concepts add column valid_from timestamptz;
alter table annotation_concepts disable trigger user;
update annotation_concepts l set valid_from = a.created_at from annotations a where a.key = l.annotation_key;
alter table annotation_concepts enable trigger user;
alter table annotation_concepts alter column valid_from set not null, alter column valid_from set default now();

alter table dataset_inputs add column valid_from timestamptz, add column changed_by bigint;
update dataset_inputs set valid_from = created_at;
alter table dataset_inputs alter column valid_from set not null, alter column valid_from set default now(),
  alter column changed_by set default acting_user();

-- Without foreign keys: rows come and go set by set, with their inputs.
create table annotation_versions (
  version bigint generated always as identity primary key,
  key bigint not null,
  app_key bigint not null,
  input_key bigint not null,
  input_id text not null,
  id text not null,
  input_level boolean not null,
  trusted boolean not null,
  status_code int not null,
  worker_user_key bigint,
  worker_model_version_key bigint,
  worker_workflow_version_key bigint,
  task_id text not null,
  kinds int not null,
  metadata jsonb,
  latitude double precision,
  longitude double precision,
  annotation_info jsonb,
  consensus_info jsonb,
  data bytea not null,
  created_at timestamptz(3) not null,
  modified_at timestamptz(3) not null,
  valid_from timestamptz not null,
  changed_by bigint,
  valid_to timestamptz not null,
  ended_by bigint,
  deleted boolean not null
);
create index annotation_versions_input on annotation_versions (input_key, key, valid_from);
create index annotation_versions_key on annotation_versions (key, valid_from);
create index annotation_versions_then on annotation_versions (app_key, valid_to);

create table label_versions (
  app_key bigint not null,
  annotation_key bigint not null,
  input_key bigint not null,
  concept_id text not null,
  position int not null,
  value real not null,
  trusted boolean not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index label_versions_input on label_versions (input_key);
create index label_versions_annotation on label_versions (annotation_key);
create index label_versions_then on label_versions (app_key, concept_id, valid_to);

create table dataset_input_versions (
  key bigint not null,
  app_key bigint not null,
  dataset_key bigint not null references datasets on delete cascade,
  input_key bigint not null,
  created_at timestamptz(3) not null,
  valid_from timestamptz not null,
  changed_by bigint,
  valid_to timestamptz not null,
  ended_by bigint
);
create index dataset_input_versions_input on dataset_input_versions (input_key);
create index dataset_input_versions_then on dataset_input_versions (dataset_key, valid_to);

create function stamp_annotation() returns trigger language plpgsql as $$
begin
  new.valid_from := next_moment(old.valid_from);
  new.changed_by := acting_user();
  return new;
end $$;
create trigger annotations_stamped before update on annotations for each row execute function stamp_annotation();

create function stamp_label() returns trigger language plpgsql as $$
begin
  new.valid_from := next_moment(old.valid_from);
  return new;
end $$;
create trigger labels_stamped before update on annotation_concepts for each row execute function stamp_label();

create function keep_changed_annotations() returns trigger language plpgsql as $$
begin
  insert into annotation_versions (key, app_key, input_key, input_id, id, input_level, trusted, status_code,
    worker_user_key, worker_model_version_key, worker_workflow_version_key, task_id, kinds, metadata, latitude, longitude,
    annotation_info, consensus_info, data, created_at, modified_at, valid_from, changed_by, valid_to, ended_by, deleted)
  select g.key, g.app_key, g.input_key, g.input_id, g.id, g.input_level, g.trusted, g.status_code,
    g.worker_user_key, g.worker_model_version_key, g.worker_workflow_version_key, g.task_id, g.kinds, g.metadata,
    g.latitude, g.longitude, g.annotation_info, g.consensus_info, g.data, g.created_at, g.modified_at, g.valid_from,
    g.changed_by, f.valid_from, f.changed_by, false
  from gone g join fresh f using (key);
  return null;
end $$;
create trigger annotations_changed after update on annotations referencing old table as gone new table as fresh for each statement execute function keep_changed_annotations();

create function keep_deleted_annotations() returns trigger language plpgsql as $$
begin
  insert into annotation_versions (key, app_key, input_key, input_id, id, input_level, trusted, status_code,
    worker_user_key, worker_model_version_key, worker_workflow_version_key, task_id, kinds, metadata, latitude, longitude,
    annotation_info, consensus_info, data, created_at, modified_at, valid_from, changed_by, valid_to, ended_by, deleted)
  select g.key, g.app_key, g.input_key, g.input_id, g.id, g.input_level, g.trusted, g.status_code,
    g.worker_user_key, g.worker_model_version_key, g.worker_workflow_version_key, g.task_id, g.kinds, g.metadata,
    g.latitude, g.longitude, g.annotation_info, g.consensus_info, g.data, g.created_at, g.modified_at, g.valid_from,
    g.changed_by, next_moment(g.valid_from), acting_user(), true
  from gone g join inputs i on i.key = g.input_key;
  return null;
end $$;
create trigger annotations_deleted after delete on annotations referencing old table as gone for each statement execute function keep_deleted_annotations();

create function keep_labels() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    insert into label_versions
    select g.app_key, g.annotation_key, g.input_key, g.concept_id, g.position, g.value, g.trusted, g.valid_from, f.valid_from
    from gone g join fresh f using (annotation_key, concept_id);
  else
    insert into label_versions
    select g.app_key, g.annotation_key, g.input_key, g.concept_id, g.position, g.value, g.trusted, g.valid_from, next_moment(g.valid_from)
    from gone g join inputs i on i.key = g.input_key;
  end if;
  return null;
end $$;
create trigger labels_changed after update on annotation_concepts referencing old table as gone new table as fresh for each statement execute function keep_labels();
create trigger labels_deleted after delete on annotation_concepts referencing old table as gone for each statement execute function keep_labels();

create function keep_members() returns trigger language plpgsql as $$
begin
  insert into dataset_input_versions
  select g.key, g.app_key, g.dataset_key, g.input_key, g.created_at, g.valid_from, g.changed_by, next_moment(g.valid_from), acting_user()
  from gone g join inputs i on i.key = g.input_key join datasets d on d.key = g.dataset_key;
  return null;
end $$;
create trigger members_deleted after delete on dataset_inputs referencing old table as gone for each statement execute function keep_members();

create function forget_inputs() returns trigger language plpgsql as $$
begin
  delete from annotation_versions v using gone g where v.input_key = g.key;
  delete from label_versions v using gone g where v.input_key = g.key;
  delete from dataset_input_versions v using gone g where v.input_key = g.key;
  return null;
end $$;
create trigger inputs_forgotten after delete on inputs referencing old table as gone for each statement execute function forget_inputs();

create function annotations_as_of(p_app bigint, p_at timestamptz) returns table (
  key bigint, app_key bigint, input_key bigint, input_id text, id text, input_level boolean, trusted boolean, status_code int,
  worker_user_key bigint, worker_model_version_key bigint, worker_workflow_version_key bigint, task_id text, kinds int,
  metadata jsonb, latitude double precision, longitude double precision, annotation_info jsonb, consensus_info jsonb,
  data bytea, created_at timestamptz, modified_at timestamptz, valid_from timestamptz, changed_by bigint)
language sql stable parallel safe rows 10000 as $$
  select key, app_key, input_key, input_id, id, input_level, trusted, status_code, worker_user_key,
    worker_model_version_key, worker_workflow_version_key, task_id, kinds, metadata, latitude, longitude,
    annotation_info, consensus_info, data, created_at::timestamptz, modified_at::timestamptz, valid_from, changed_by
  from annotations where app_key = p_app and valid_from <= p_at
  union all
  select key, app_key, input_key, input_id, id, input_level, trusted, status_code, worker_user_key,
    worker_model_version_key, worker_workflow_version_key, task_id, kinds, metadata, latitude, longitude,
    annotation_info, consensus_info, data, created_at::timestamptz, modified_at::timestamptz, valid_from, changed_by
  from annotation_versions where app_key = p_app and valid_from <= p_at and valid_to > p_at
$$;

create function labels_as_of(p_app bigint, p_at timestamptz) returns table (
  app_key bigint, annotation_key bigint, input_key bigint, concept_id text, "position" int, value real, trusted boolean)
language sql stable parallel safe rows 10000 as $$
  select app_key, annotation_key, input_key, concept_id, position, value, trusted
  from annotation_concepts where app_key = p_app and valid_from <= p_at
  union all
  select app_key, annotation_key, input_key, concept_id, position, value, trusted
  from label_versions where app_key = p_app and valid_from <= p_at and valid_to > p_at
$$;

create function dataset_inputs_as_of(p_app bigint, p_at timestamptz) returns table (
  key bigint, app_key bigint, dataset_key bigint, input_key bigint, created_at timestamptz, valid_from timestamptz, changed_by bigint)
language sql stable parallel safe rows 10000 as $$
  select key, app_key, dataset_key, input_key, created_at::timestamptz, valid_from, changed_by
  from dataset_inputs where app_key = p_app and valid_from <= p_at
  union all
  select key, app_key, dataset_key, input_key, created_at::timestamptz, valid_from, changed_by
  from dataset_input_versions where app_key = p_app and valid_from <= p_at and valid_to > p_at
$$;
`,
};
