/** What a dataset version remembers: its inputs and annotations as they were, and what was counted over them. */
export const datasetVersions = {
  number: 4,
  name: 'dataset-versions',
  sql: `
alter table dataset_versions
  add column request_origin smallint not null default 1,
  add column visibility smallint not null default 10,
  -- DatasetVersionMetrics of the whole version; null until it is ready.
  add column metrics bytea;
create index dataset_versions_order on dataset_versions (dataset_key, key);

create table dataset_version_inputs (
  version_key bigint not null references dataset_versions on delete cascade,
  input_key bigint not null references inputs on delete cascade,
  input_id text not null,
  kind text not null,
  primary key (version_key, input_key)
);
create index dataset_version_inputs_input on dataset_version_inputs (input_key);

-- Copies: the annotations themselves may change or go, a version does not.
create table dataset_version_annotations (
  key bigint generated always as identity primary key,
  version_key bigint not null,
  input_key bigint not null,
  annotation_id text not null,
  input_level boolean not null,
  kinds int not null,
  positive text[] not null,
  negative text[] not null,
  data bytea not null,
  foreign key (version_key, input_key) references dataset_version_inputs on delete cascade
);
create index dataset_version_annotations_input on dataset_version_annotations (version_key, input_key);

create table dataset_version_groups (
  version_key bigint not null references dataset_versions on delete cascade,
  position int not null,
  type smallint not null,
  value jsonb not null,
  -- DatasetVersionMetrics.
  metrics bytea not null,
  primary key (version_key, position)
);
`,
};
