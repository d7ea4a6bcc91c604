/**
 * Vectors that were deleted, so that every process erases them from its files (vector_files). Known for as long as a file
 * may be believed.
 */
export const erasedVectors = {
  number: 82,
  name: 'erased-vectors',
  sql: `
create table erased_vectors (
  xid xid8 not null default pg_current_xact_id(),
  app_key bigint not null,
  model_version_key bigint not null,
  key bigint not null,
  at timestamptz(3) not null default now()
);
create index erased_vectors_since on erased_vectors (xid);
create index erased_vectors_at on erased_vectors (at);

create function keep_erased_vectors() returns trigger language plpgsql as $$
begin
  insert into erased_vectors (app_key, model_version_key, key) select app_key, model_version_key, key from gone;
  return null;
end $$;
create trigger embeddings_erased after delete on embeddings referencing old table as gone for each statement execute function keep_erased_vectors();
`,
};
