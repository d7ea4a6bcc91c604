/** Numbers that people record over time, told apart by tags. */
export const statValues = {
  number: 26,
  name: 'stat-values',
  sql: `
create table stat_values (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  time timestamptz(3) not null,
  value double precision not null,
  -- "group:tag" each.
  tags text[] not null default '{}'
);
create index stat_values_time on stat_values (app_key, time);
create index stat_values_tags on stat_values using gin (tags);
`,
};
