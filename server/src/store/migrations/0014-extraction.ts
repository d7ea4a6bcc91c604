/** Inputs that come out of archives and out of other people's storage, by jobs that can stop and go on. */
export const extraction = {
  number: 14,
  name: 'extraction',
  sql: `
create table inputs_extraction_jobs (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  add_job_key bigint not null references inputs_add_jobs on delete cascade,
  -- The archive it waits for, where there is one.
  upload_key bigint references uploads on delete set null,
  worker_user_key bigint not null,
  -- As it is shown: without what opens a door.
  url text not null default '',
  -- Address and credentials, encrypted; null where there are none, or no more.
  source bytea,
  input_template bytea not null default '',
  conflict_resolution smallint not null default 0,
  call_back_url text not null default '',
  -- 64000 queued, 64001 running, 64002 completed, 64004 cancelled, 66000 and 67000 failed.
  status_code int not null default 64000,
  status_details text not null default '',
  audio_count bigint not null default 0,
  image_count bigint not null default 0,
  video_count bigint not null default 0,
  text_count bigint not null default 0,
  pending_archives bigint not null default 0,
  in_progress_archives bigint not null default 0,
  completed_archives bigint not null default 0,
  failed_archives bigint not null default 0,
  -- Files that came to no input.
  fault_count bigint not null default 0,
  -- What came out of archives so far, for the limits.
  entry_count bigint not null default 0,
  bytes_out bigint not null default 0,
  -- Where the listing of a source goes on: a page of it, and the last key of that page that is done.
  list_page text not null default '',
  list_after text not null default '',
  is_listed boolean not null default false,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index inputs_extraction_jobs_order on inputs_extraction_jobs (app_key, key);
create index inputs_extraction_jobs_add_job on inputs_extraction_jobs (add_job_key);
create index inputs_extraction_jobs_upload on inputs_extraction_jobs (upload_key) where upload_key is not null;

-- Archives that are not finished.
create table inputs_extraction_archives (
  key bigint generated always as identity primary key,
  job_key bigint not null references inputs_extraction_jobs on delete cascade,
  -- How people find it: names of the archives around it and its own.
  name text not null,
  -- 0 for one that lies in no other.
  depth int not null,
  -- Its copy in the object store; null for the upload of the job.
  object text unique,
  is_begun boolean not null default false,
  -- Entries that are done.
  position bigint not null default 0,
  bytes_out bigint not null default 0
);
create index inputs_extraction_archives_order on inputs_extraction_archives (job_key, depth desc, key);

create table inputs_extraction_faults (
  job_key bigint not null references inputs_extraction_jobs on delete cascade,
  position bigint not null,
  name text not null,
  details text not null,
  primary key (job_key, position)
);
`,
};
