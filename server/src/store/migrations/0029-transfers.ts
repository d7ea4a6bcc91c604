/** Imports from and exports to the formats of other tools, each with how far it is and what it found. */
export const transfers = {
  number: 29,
  name: 'transfers',
  sql: `
create table transfers (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  kind text not null check (kind in ('import', 'export')),
  state text not null default 'pending' check (state in ('pending', 'running', 'done', 'failed', 'cancelled')),
  dataset_id text not null,
  -- Empty for an import: it is found out.
  format text not null default '',
  dry_run boolean not null default false,
  with_images boolean not null default true,
  upload_id text not null default '',
  -- Where it goes on: phase, records done in it, and the ids that the batch under way is about to make.
  cursor jsonb not null default '{}',
  counts jsonb not null default '{}',
  -- What the set holds and what was wrong with it; the first thousand problems.
  report jsonb not null default '{}',
  problems jsonb not null default '[]',
  reason text not null default '',
  object_key text not null default '',
  size_bytes bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
`,
};
