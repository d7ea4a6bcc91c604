/**
 * The tables of the queue, as one migration.
 *
 * A finished job leaves no row; a job that ran out of attempts stays as `dead`. `key` names the work: while one
 * job with a kind and key waits, asking again changes that one.
 */
export const jobsMigrationSql = `
create table jobs (
  id bigint generated always as identity primary key,
  kind text not null,
  key text,
  payload jsonb not null default '{}',
  app_key bigint,
  priority smallint not null default 0,
  state text not null default 'waiting' check (state in ('waiting', 'running', 'dead')),
  run_at timestamptz not null default now(),
  attempts integer not null default 0,
  max_attempts integer not null default 5 check (max_attempts > 0),
  crashes integer not null default 0,
  lease_token uuid,
  lease_until timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  check ((state = 'running') = (lease_token is not null and lease_until is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create unique index jobs_waiting_key on jobs (kind, key) where state = 'waiting' and key is not null;
create index jobs_next on jobs (kind, priority desc, run_at, id) where state = 'waiting';
create index jobs_leases on jobs (kind, lease_until) where state = 'running';
create index jobs_app on jobs (app_key) where app_key is not null;
create index jobs_dead on jobs (created_at) where state = 'dead';

create table job_schedules (
  kind text primary key,
  next_at timestamptz not null
);
`;
