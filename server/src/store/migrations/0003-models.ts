/** Models, their versions, workflows, their versions. Bodies are protobuf messages, so that fields of newer clients survive. */
export const models = {
  number: 3,
  name: 'models',
  sql: `
create table models (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  name text not null default '',
  type_id text not null,
  body bytea not null default '',
  words tsvector not null default '',
  visibility smallint not null default 10,
  toolkits text[] not null default '{}',
  use_cases text[] not null default '{}',
  languages text[] not null default '{}',
  creator text not null default '',
  license_type smallint not null default 0,
  source smallint not null default 0,
  featured boolean not null default false,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index models_order on models (app_key, modified_at, key);

create table model_versions (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  model_key bigint not null references models on delete cascade,
  id text not null,
  status_code int not null,
  status_details text not null default '',
  visibility smallint not null default 10,
  -- Built-in network that answers for this version, if any (id of a model package).
  builtin text,
  -- Trained head in the object store (content-addressed), if any.
  head_sha bytea,
  base_model_version_key bigint,
  concept_ids text[] not null default '{}',
  license text not null default '',
  description text not null default '',
  input_count int not null default 0,
  -- How far a training has come.
  percent_completed smallint not null default 0,
  body bytea not null default '',
  metrics bytea,
  train_log text not null default '',
  train_log_token text not null default '',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  completed_at timestamptz(3),
  unique (model_key, id)
);
create index model_versions_order on model_versions (model_key, key);
create index model_versions_log on model_versions (train_log_token) where train_log_token <> '';

create table workflows (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  body bytea not null default '',
  words tsvector not null default '',
  visibility smallint not null default 10,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);

create table workflow_versions (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  workflow_key bigint not null references workflows on delete cascade,
  id text not null,
  -- Versions that the nodes are pinned to, in node order; a key whose row is gone makes this version deprecated.
  model_version_keys bigint[] not null default '{}',
  body bytea not null default '',
  visibility smallint not null default 10,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (workflow_key, id)
);
create index workflow_versions_order on workflow_versions (workflow_key, key);
`,
};
