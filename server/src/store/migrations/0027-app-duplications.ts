/** Copies of apps in the making, each with the place that it has come to. */
export const appDuplications = {
  number: 27,
  name: 'app-duplications',
  sql: `
create table app_duplications (
  key bigint generated always as identity primary key,
  id text not null,
  -- Who asked for it; the job is read with that user's id, whoever owns the apps.
  user_key bigint not null references users on delete cascade,
  -- No foreign keys: apps may go, the job says so.
  source_app_key bigint not null,
  dest_app_key bigint not null,
  -- The app was made for it, so nothing in it is in the way.
  is_new_app boolean not null,
  -- AppDuplicationFilters.
  filter bytea not null default '',
  status_code int not null default 25202,
  status_details text not null default '',
  -- What is being copied, and the key of the last row that was.
  step text not null default '',
  after_key bigint not null default 0,
  -- Rows done and rows to do, by field.
  counts jsonb not null default '{}',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (user_key, id)
);
create index app_duplications_order on app_duplications (user_key, key);

-- What became of rows that others refer to, until the job is over.
create table app_duplication_rows (
  duplication_key bigint not null references app_duplications on delete cascade,
  kind text not null,
  source_key bigint not null,
  dest_key bigint not null,
  primary key (duplication_key, kind, source_key)
);
`,
};
