/**
 * Dataset versions share what did not change between them: a version is a list of chunks (the inputs of 1,024
 * neighbouring keys), and a chunk whose rows are as they were is used again. What versions held before becomes
 * chunks of their own; two views keep showing versions row by row.
 */
export const datasetChunks = {
  number: 24,
  name: 'dataset-chunks',
  sql: `
create table dataset_chunks (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  dataset_key bigint not null references datasets on delete cascade,
  -- input_key >> 10
  bucket bigint not null,
  -- Digest of the rows it was copied from, and of how.
  fingerprint bytea not null,
  n int not null,
  -- What was counted over it, by split and group (datasets/snapshot-counts.ts).
  counts jsonb not null default '[]',
  created_at timestamptz(3) not null default now()
);
create index dataset_chunks_find on dataset_chunks (dataset_key, bucket, fingerprint);
create index dataset_chunks_app on dataset_chunks (app_key);

create table dataset_version_chunks (
  version_key bigint not null references dataset_versions on delete cascade,
  bucket bigint not null,
  chunk_key bigint not null references dataset_chunks on delete cascade,
  primary key (version_key, bucket)
);
create index dataset_version_chunks_chunk on dataset_version_chunks (chunk_key);

-- Inputs as they were; the input itself may be gone since. Its medium is kept as long as a version holds it.
create table dataset_chunk_inputs (
  chunk_key bigint not null references dataset_chunks on delete cascade,
  input_key bigint not null,
  input_id text not null,
  kind text not null,
  -- Of the input's metadata; '' where it names none.
  split text not null default '',
  url text not null default '',
  media_sha bytea,
  media bytea not null default '',
  settings bytea not null default '',
  primary key (chunk_key, input_key)
);
create index dataset_chunk_inputs_media on dataset_chunk_inputs (media_sha) where media_sha is not null;

create table dataset_chunk_annotations (
  chunk_key bigint not null,
  input_key bigint not null,
  -- 0 for what a model said while the version was made.
  annotation_key bigint not null,
  annotation_id text not null,
  input_level boolean not null,
  trusted boolean not null default true,
  kinds int not null,
  worker_user_key bigint,
  worker_model_version_key bigint,
  worker_workflow_version_key bigint,
  task_id text not null default '',
  annotation_info jsonb,
  positive text[] not null,
  negative text[] not null,
  data bytea not null,
  primary key (chunk_key, input_key, annotation_id),
  foreign key (chunk_key, input_key) references dataset_chunk_inputs on delete cascade
);

alter table dataset_versions
  add column percent_completed smallint not null default 0,
  add column status_details text not null default '',
  -- DatasetVersion with nothing but its metrics; null in versions of earlier servers, which have one key.
  add column metrics_by_split bytea,
  -- The model whose predictions it holds, if any.
  add column predict_model_version_key bigint;
alter table dataset_version_groups add column parent_path text not null default '';

alter table dataset_chunks add column of_version bigint;
insert into dataset_chunks (app_key, dataset_key, bucket, fingerprint, n, of_version)
select v.app_key, v.dataset_key, i.input_key >> 10, '', count(*), v.key
from dataset_versions v join dataset_version_inputs i on i.version_key = v.key group by v.key, i.input_key >> 10;
insert into dataset_version_chunks (version_key, bucket, chunk_key)
select of_version, bucket, key from dataset_chunks;
insert into dataset_chunk_inputs (chunk_key, input_key, input_id, kind, url, media_sha, media, settings)
select c.key, v.input_key, v.input_id, v.kind, i.url, i.media_sha, i.media, i.settings
from dataset_version_inputs v join dataset_chunks c on c.of_version = v.version_key and c.bucket = v.input_key >> 10
join inputs i on i.key = v.input_key;
insert into dataset_chunk_annotations (chunk_key, input_key, annotation_key, annotation_id, input_level, trusted, kinds,
  worker_user_key, worker_model_version_key, worker_workflow_version_key, task_id, annotation_info, positive, negative, data)
select c.key, v.input_key, coalesce(a.key, 0), v.annotation_id, v.input_level, true, v.kinds,
  a.worker_user_key, a.worker_model_version_key, a.worker_workflow_version_key, coalesce(a.task_id, ''), a.annotation_info,
  v.positive, v.negative, v.data
from dataset_version_annotations v join dataset_chunks c on c.of_version = v.version_key and c.bucket = v.input_key >> 10
left join annotations a on a.input_key = v.input_key and a.id = v.annotation_id
on conflict do nothing;
alter table dataset_chunks drop column of_version;
drop table dataset_version_annotations;
drop table dataset_version_inputs;

create view dataset_version_inputs as
select l.version_key, i.input_key, i.input_id, i.kind
from dataset_version_chunks l join dataset_chunk_inputs i on i.chunk_key = l.chunk_key;
create view dataset_version_annotations as
select l.version_key, a.input_key, a.annotation_id, a.input_level, a.kinds, a.positive, a.negative, a.data
from dataset_version_chunks l join dataset_chunk_annotations a on a.chunk_key = l.chunk_key;
`,
};
