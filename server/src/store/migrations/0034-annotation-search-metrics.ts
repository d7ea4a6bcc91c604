/** Evaluations of one search of annotations against another. */
export const annotationSearchMetrics = {
  number: 34,
  name: 'annotation-search-metrics',
  sql: `
create table annotation_search_metrics (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- The contract's AnnotationSearchMetrics as it was asked for: the searches and the concepts.
  body bytea not null,
  evaluation_type int not null,
  status_code int not null,
  status_details text not null default '',
  -- Concepts that were compared.
  concept_count int not null default 0,
  -- The contract's EvalMetrics, once it is there.
  metrics bytea,
  visibility smallint not null default 10,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index annotation_search_metrics_order on annotation_search_metrics (app_key, key);
`,
};
