/** Archives of dataset versions: one per version and format, in the object store once it is made. */
export const datasetExports = {
  number: 25,
  name: 'dataset-exports',
  sql: `
create table dataset_exports (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  version_key bigint not null references dataset_versions on delete cascade,
  -- DatasetVersionExportFormat.
  format smallint not null,
  include_embeddings boolean not null default false,
  status_code int not null,
  status_details text not null default '',
  -- Where media are found, as whoever asked reached this server.
  base_url text not null,
  object_key text not null unique,
  size_bytes bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (version_key, format)
);
create index dataset_exports_app on dataset_exports (app_key);
`,
};
