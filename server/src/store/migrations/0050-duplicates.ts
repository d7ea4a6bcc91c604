/** What pictures look like, and searches for those that an app holds more than once. */
export const duplicates = {
  number: 50,
  name: 'duplicates',
  sql: `
create table picture_prints (
  input_key bigint primary key references inputs on delete cascade,
  app_key bigint not null,
  hash bigint not null,
  -- 32 x 32 grey values.
  grey bytea not null
);
create index picture_prints_walk on picture_prints (app_key, input_key);

create table duplicate_searches (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- Null: all inputs of the app.
  dataset_key bigint references datasets on delete cascade,
  score_min real not null,
  -- 64000 queued, 64001 runs, 64002 done, 64003 failed.
  status_code int not null default 64000,
  status_details text not null default '',
  step text not null default '',
  after_key bigint not null default -1,
  done bigint not null default 0,
  total bigint not null default 0,
  same_groups bigint not null default 0,
  similar_groups bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index duplicate_searches_dataset on duplicate_searches (dataset_key);

-- Tier 1: the same picture; 2: similar ones. Emptied when the groups are made.
create table duplicate_pairs (
  search_key bigint not null references duplicate_searches on delete cascade,
  tier smallint not null,
  input_key bigint not null,
  other_input_key bigint not null,
  primary key (search_key, tier, input_key, other_input_key)
);

-- A group is named by the smallest key in it.
create table duplicate_members (
  search_key bigint not null references duplicate_searches on delete cascade,
  tier smallint not null,
  group_key bigint not null,
  input_key bigint not null,
  primary key (search_key, tier, group_key, input_key)
);
`,
};
