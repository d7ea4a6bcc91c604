/** Users, credentials, apps, collaborators. Identity rows change rarely and are cached; every change says so by NOTIFY. */
export const foundation = {
  number: 1,
  name: 'foundation',
  sql: `
create table users (
  key bigint generated always as identity primary key,
  id text not null unique,
  email text unique,
  body bytea not null default '',
  visibility smallint not null default 10,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now()
);

create table apps (
  key bigint generated always as identity primary key,
  user_key bigint not null references users,
  id text not null,
  body bytea not null default '',
  words tsvector not null default '',
  name text not null default '',
  default_language text not null default 'en',
  visibility smallint not null default 10,
  is_template boolean not null default false,
  default_workflow_key bigint,
  search_revision bigint not null default 0,
  deleted_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now()
);
create unique index apps_id on apps (user_key, id) where deleted_at is null;
create index apps_deleted on apps (key) where deleted_at is not null;

create table collaborators (
  key bigint generated always as identity primary key,
  id text not null unique,
  app_key bigint not null references apps on delete cascade,
  user_key bigint not null references users,
  scopes text[] not null,
  endpoints text[] not null default '{}',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3)
);
create unique index collaborators_live on collaborators (app_key, user_key) where deleted_at is null;
create index collaborators_user on collaborators (user_key);

-- The secret is looked up by its SHA-256; the sealed copy (AES-256-GCM) exists because the contract shows Key.id again.
create table keys (
  key bigint generated always as identity primary key,
  hash bytea not null unique,
  sealed bytea not null,
  user_key bigint not null references users on delete cascade,
  app_key bigint references apps on delete cascade,
  type text not null,
  description text not null default '',
  scopes text[] not null default '{}',
  endpoints text[] not null default '{}',
  organization_id text not null default '',
  expires_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now()
);
create index keys_user on keys (user_key, key);
create index keys_app on keys (app_key) where app_key is not null;

create table sessions (
  key bigint generated always as identity primary key,
  hash bytea not null unique,
  user_key bigint not null references users on delete cascade,
  -- The token that opened it; the session ends with it.
  opened_by bigint not null references keys on delete cascade,
  expires_at timestamptz(3) not null,
  created_at timestamptz(3) not null default now()
);
create index sessions_opened_by on sessions (opened_by);

-- Where a renamed app, model or workflow went: the old id answers MOVED.
create table moved_ids (
  kind text not null,
  scope_key bigint not null,
  old_id text not null,
  new_id text not null,
  primary key (kind, scope_key, old_id)
);

create function tell_identity() returns trigger language plpgsql as $$
begin
  perform pg_notify('fovea_identity', '');
  return null;
end $$;
create trigger users_told after update or delete on users for each statement execute function tell_identity();
create trigger apps_told after update of id, deleted_at, visibility, default_language or delete on apps for each statement execute function tell_identity();
create trigger keys_told after update or delete on keys for each statement execute function tell_identity();
create trigger collaborators_told after insert or update or delete on collaborators for each statement execute function tell_identity();
create trigger sessions_told after delete on sessions for each statement execute function tell_identity();
`,
};
