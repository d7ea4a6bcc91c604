/** How concepts relate to each other, and the graphs that relations belong to ('' is the app's own). */
export const conceptGraphs = {
  number: 23,
  name: 'concept-graphs',
  sql: `
create table knowledge_graphs (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- KnowledgeGraph, less its id.
  body bytea not null default '',
  created_at timestamptz(3) not null default now(),
  unique (app_key, id)
);

-- 'hyponym' (subject is a kind of object) or 'synonym'; a hypernym is stored as the hyponym that it reverses.
create table concept_relations (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  knowledge_graph_id text not null default '',
  predicate text not null check (predicate in ('hyponym', 'synonym')),
  subject_id text not null,
  object_id text not null,
  visibility smallint not null default 10,
  created_at timestamptz(3) not null default now(),
  unique (app_key, id),
  foreign key (app_key, subject_id) references concepts (app_key, id) on delete cascade,
  foreign key (app_key, object_id) references concepts (app_key, id) on delete cascade
);
-- One relation between two concepts per graph and predicate, whichever way round it was said.
create unique index concept_relations_pair on concept_relations
  (app_key, knowledge_graph_id, predicate, least(subject_id, object_id), greatest(subject_id, object_id));
create index concept_relations_order on concept_relations (app_key, key);
create index concept_relations_subject on concept_relations (app_key, subject_id, key);
create index concept_relations_object on concept_relations (app_key, object_id, key);
`,
};
