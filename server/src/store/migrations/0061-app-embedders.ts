/** Which embedder's vectors an app is searched by, and how far those of the next one are. */
export const appEmbedders = {
  number: 61,
  name: 'app-embedders',
  sql: `
create table app_embedders (
  app_key bigint primary key references apps on delete cascade,
  -- Everything is embedded with it: searches look into its vectors.
  serving_key bigint not null references model_versions on delete cascade,
  -- Takes its place once everything is embedded with it.
  coming_key bigint references model_versions on delete set null,
  -- The walk that gives it vectors: which pass, and up to which annotation.
  pass int not null default 1,
  cursor_key bigint not null default 0,
  -- Annotations up to here were there when the pass began.
  last_key bigint not null default 0,
  -- Of this pass.
  embedded bigint not null default 0,
  failed bigint not null default 0,
  started_at timestamptz(3) not null default now()
);

insert into app_embedders (app_key, serving_key)
select distinct on (a.key) a.key, m.key
from apps a
join lateral (
  select model_version_keys from workflow_versions where workflow_key = a.default_workflow_key order by key desc limit 1) v on true
cross join lateral unnest(v.model_version_keys) with ordinality as pinned(key, position)
join model_versions m on m.key = pinned.key
join models o on o.key = m.model_key
where m.builtin is not null and o.type_id = 'visual-embedder' and (m.head_sha is not null or o.use_cases @> '{image-embedding}')
  and exists (select from embeddings e where e.app_key = a.key and e.model_version_key = m.key)
order by a.key, pinned.position;
`,
};
