/**
 * How often concepts of an app were renamed. What a process remembers of their names counts for the revision that the
 * rows of a page were read with, so that a page that shows labels needs no statement for their names.
 *
 * Counted when the transaction ends: a rename that waited for another's count while it held concepts could wait for
 * ever.
 */
export const conceptRevisions = {
  number: 80,
  name: 'concept-revisions',
  sql: `
create table concept_revisions (
  app_key bigint primary key references apps on delete cascade,
  revision bigint not null
);

create function count_renames() returns trigger language plpgsql as $$
begin
  insert into concept_revisions as r (app_key, revision) values (new.app_key, 1)
  on conflict (app_key) do update set revision = r.revision + 1;
  return null;
end $$;

create constraint trigger concepts_renamed after update of name on concepts deferrable initially deferred
  for each row when (old.name is distinct from new.name) execute function count_renames();
`,
};
