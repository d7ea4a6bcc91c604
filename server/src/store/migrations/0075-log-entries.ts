/** Lines that programs post about what runs elsewhere: agents, runners, builds and runs of pipelines. */
export const logEntries = {
  number: 75,
  name: 'log-entries',
  sql: `
create table log_entries (
  key bigint generated always as identity primary key,
  user_key bigint not null references users on delete cascade,
  log_type text not null,
  -- SHA-256 of what the line is about: every field of its source, the log type among them. Lists ask for one source.
  source bytea not null,
  message text not null,
  -- clarifai.api.ComputeSourceMetadata
  meta bytea not null,
  at timestamptz(3) not null default now()
);
create index log_entries_source on log_entries (user_key, source, key);
`,
};
