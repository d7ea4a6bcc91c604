/** Collections of vectors outside of this process, and checks of indexes against the rows that they are made of. */
export const vectorIndexes = {
  number: 49,
  name: 'vector-indexes',
  sql: `
-- Collections outlive their apps until they were removed from the store, so nothing here refers to apps.
create table vector_collections (
  app_key bigint not null,
  model_version_key bigint not null,
  store text not null,
  dims int not null,
  -- Changes of this transaction and of later ones may be missing.
  seen_before xid8 not null,
  after_key bigint not null default -1,
  is_whole boolean not null default false,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  primary key (app_key, model_version_key, store)
);

create table vector_checks (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  repair boolean not null,
  -- 64000 queued, 64001 runs, 64002 done, 64003 failed.
  status_code int not null default 64000,
  status_details text not null default '',
  done bigint not null default 0,
  total bigint not null default 0,
  report jsonb not null default '[]',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);

-- Walks through all vectors of an app and embedder, page by page.
create index embeddings_walk on embeddings (app_key, model_version_key, key);
`,
};
