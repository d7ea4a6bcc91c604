/** How far an app's newest reindexing has come, over its inputs in key order. */
export const appReindexes = {
  number: 52,
  name: 'app-reindexes',
  sql: `
create table app_reindexes (
  app_key bigint primary key references apps on delete cascade,
  -- Counts up; the steps of an older one end by themselves.
  generation int not null default 1,
  -- Inputs up to here were there when it began; those that came later went through the new workflow already.
  last_key bigint not null,
  -- Done up to here.
  cursor_key bigint not null default 0,
  -- In hand up to here.
  chunk_key bigint not null default 0,
  reindexed bigint not null default 0,
  errors bigint not null default 0,
  started_at timestamptz(3) not null default now(),
  ended_at timestamptz(3)
);
`,
};
