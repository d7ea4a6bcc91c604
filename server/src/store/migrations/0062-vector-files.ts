/** Which files of vectors may be believed, and up to which transaction. */
export const vectorFiles = {
  number: 62,
  name: 'vector-files',
  sql: `
create table vector_files (
  -- Stands in the file too: one of another database, or of another time of this one, is none of these.
  label text primary key,
  app_key bigint not null references apps on delete cascade,
  model_version_key bigint not null,
  -- Every transaction before this one is in it.
  seen_before xid8 not null,
  created_at timestamptz(3) not null default now()
);
create index vector_files_app on vector_files (app_key);
`,
};
