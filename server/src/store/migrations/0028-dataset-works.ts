/** Long work on datasets beside the contract: restoring a version, looking for leaks between splits. */
export const datasetWorks = {
  number: 28,
  name: 'dataset-works',
  sql: `
create table dataset_works (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  dataset_key bigint not null references datasets on delete cascade,
  id text not null,
  kind text not null,
  version_key bigint not null references dataset_versions on delete cascade,
  -- Restores: the version that keeps what was there before. Leaks: the version to compare with, if another.
  other_version_key bigint references dataset_versions on delete cascade,
  options jsonb not null default '{}',
  -- 64000 queued, 64001 runs, 64002 done, 64003 failed.
  status_code int not null default 64000,
  status_details text not null default '',
  step text not null default '',
  after_key bigint not null default -1,
  done bigint not null default 0,
  total bigint not null default 0,
  found bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (dataset_key, id)
);
create index dataset_works_app on dataset_works (app_key);

create table dataset_leaks (
  work_key bigint not null references dataset_works on delete cascade,
  input_key bigint not null,
  other_input_key bigint not null,
  input_id text not null,
  split text not null,
  other_input_id text not null,
  other_split text not null,
  -- The very same bytes, or only near.
  same boolean not null,
  primary key (work_key, input_key, other_input_key)
);
`,
};
