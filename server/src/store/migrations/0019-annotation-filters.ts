/** Searches with filters alone, kept under a name for dataset versions. */
export const annotationFilters = {
  number: 19,
  name: 'annotation-filters',
  sql: `
create table annotation_filters (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- Search.
  body bytea not null,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index annotation_filters_order on annotation_filters (app_key, key);
`,
};
