/** Pathways from predictions into apps, and what waits on them. */
export const collectors = {
  number: 21,
  name: 'collectors',
  sql: `
create table collectors (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- Collector, without its key and status.
  body bytea not null,
  status_code int not null default 52001,
  -- Why the last input could not be posted; empty when it could.
  status_details text not null default '',
  model_version_key bigint not null references model_versions on delete cascade,
  -- Whose predictions are collected.
  caller_user_key bigint not null references users,
  -- The key that inputs are posted with.
  sealed_key bytea not null,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index collectors_order on collectors (app_key, key);
create index collectors_source on collectors (model_version_key, caller_user_key);

create table collector_items (
  key bigint generated always as identity primary key,
  collector_key bigint not null references collectors on delete cascade,
  -- Of the input to be.
  input_id text not null,
  -- Data messages.
  input bytea not null,
  output bytea not null,
  posted boolean not null default false,
  created_at timestamptz(3) not null default now()
);
create index collector_items_collector on collector_items (collector_key);
`,
};
