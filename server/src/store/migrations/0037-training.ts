/** What trainings made, so that parts of versions that are gone can be found; and how long trainings took. */
export const training = {
  number: 37,
  name: 'training',
  sql: `
create table trained_parts (
  -- SHA-256 of the object.
  sha bytea primary key,
  kept_at timestamptz(3) not null default now()
);
insert into trained_parts (sha) select distinct head_sha from model_versions where head_sha is not null;

alter table model_versions
  -- How long the training took, without the time it waited; null until it has ended well.
  add column training_ms bigint;
create index model_versions_head on model_versions (head_sha) where head_sha is not null;
`,
};
