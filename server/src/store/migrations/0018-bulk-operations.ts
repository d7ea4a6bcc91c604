/** Changes of many inputs or annotations at once. What is left to do stands in chunks, so that it goes on after any crash. */
export const bulkOperations = {
  number: 18,
  name: 'bulk-operations',
  sql: `
create table bulk_operations (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- BulkOperation: source and operation, concepts by id.
  body bytea not null,
  status_code int not null default 25402,
  status_details text not null default '',
  -- Whether the chunks are there.
  prepared boolean not null default false,
  processed bigint not null default 0,
  last_processed_id text not null default '',
  user_key bigint not null references users,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index bulk_operations_order on bulk_operations (app_key, key);

create table bulk_operation_chunks (
  operation_key bigint not null references bulk_operations on delete cascade,
  position int not null,
  -- Of a split: the dataset these inputs go to.
  dataset_id text not null default '',
  -- Row keys of inputs or annotations.
  keys bigint[] not null,
  primary key (operation_key, position)
);
`,
};
