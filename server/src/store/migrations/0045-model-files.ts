/** Models that are brought and taken away: uploads in parts, packages, exports, and the logs of their building. */
export const modelFiles = {
  number: 45,
  name: 'model-files',
  sql: `
create table model_packages (
  -- SHA-256 of the object: a tar of fovea.json and the files that it names.
  sha bytea primary key,
  size_bytes bigint not null default 0,
  kept_at timestamptz(3) not null default now()
);

create table model_uploads (
  version_key bigint primary key references model_versions on delete cascade,
  app_key bigint not null references apps on delete cascade,
  model_key bigint not null,
  total_bytes bigint not null,
  is_v3 boolean not null,
  received_bytes bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now()
);
create index model_uploads_age on model_uploads (modified_at);

create table model_upload_parts (
  version_key bigint not null references model_uploads on delete cascade,
  -- In the order of their numbers the parts are the file.
  number int not null,
  sha bytea not null,
  size_bytes bigint not null,
  -- Object that holds the bytes.
  object_key text not null,
  primary key (version_key, number)
);

create table model_build_logs (
  key bigint generated always as identity primary key,
  version_key bigint not null references model_versions on delete cascade,
  line text not null,
  at timestamptz(3) not null default now()
);
create index model_build_logs_order on model_build_logs (version_key, key);

create table model_exports (
  version_key bigint primary key references model_versions on delete cascade,
  app_key bigint not null references apps on delete cascade,
  status_code int not null,
  status_details text not null default '',
  object_key text not null default '',
  size_bytes bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now()
);
`,
};
