/**
 * What dataset versions hold of inputs that are deleted: since when, and whether it is erased. An erased input is an
 * id with its labels and nothing else (docs/decisions/0040).
 */
export const erasure = {
  number: 70,
  name: 'erasure',
  sql: `
alter table dataset_chunk_inputs
  add column deleted_at timestamptz(3),
  add column erased boolean not null default false;
create index dataset_chunks_bucket on dataset_chunks (app_key, bucket);
-- Those that were deleted before it was kept count from now on.
update dataset_chunk_inputs c set deleted_at = now() where not exists (select from inputs i where i.key = c.input_key);
create index dataset_chunk_inputs_due on dataset_chunk_inputs (deleted_at) where deleted_at is not null and not erased;
`,
};
