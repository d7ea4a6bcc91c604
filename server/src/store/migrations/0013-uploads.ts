/** Files that arrive in parts. The parts lie in the object store; these rows say what they are. */
export const uploads = {
  number: 13,
  name: 'uploads',
  sql: `
create table uploads (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  -- Folder of its parts in the object store, made by the server.
  folder text not null unique,
  content_name text not null,
  content_length bigint not null check (content_length > 0),
  received_bytes bigint not null default 0,
  -- 68000 in progress, 68001 done, 68004 expired, 68005 canceled.
  status_code int not null default 68000,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  unique (app_key, id)
);
create index uploads_order on uploads (app_key, key);
create index uploads_expiry on uploads (expires_at);

-- Parts never overlap, so that an upload is whole when its received bytes are its length.
create table upload_parts (
  upload_key bigint not null references uploads on delete cascade,
  part_number bigint not null check (part_number > 0),
  range_start bigint not null,
  size_bytes bigint not null check (size_bytes > 0),
  sha bytea not null,
  -- Name of the object inside the folder.
  object text not null,
  primary key (upload_key, part_number)
);
create unique index upload_parts_range on upload_parts (upload_key, range_start) include (size_bytes);
`,
};
