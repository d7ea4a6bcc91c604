/** What scores of unrelated pictures look like, per app and embedder: a sample, taken again when the app has changed. */
export const searchCalibrations = {
  number: 33,
  name: 'search-calibrations',
  sql: `
create table search_calibrations (
  app_key bigint not null references apps on delete cascade,
  model_version_key bigint not null,
  -- Vectors that the app had, and those that were compared with each other.
  vectors bigint not null,
  sample_size int not null,
  median real not null,
  spread real not null,
  cutoff real not null,
  computed_at timestamptz(3) not null default now(),
  primary key (app_key, model_version_key)
);
`,
};
