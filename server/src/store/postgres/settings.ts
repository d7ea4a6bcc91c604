/**
 * Settings of the embedded server, as the text of a configuration file.
 *
 * Durability is never traded: a commit is on disk before it is acknowledged. The rest fits a machine that the
 * server shares with models: little memory, few processes, cheap random reads.
 */
export function settingsText(): string {
  return `${header}${lines.map(([name, value]) => `${name} = ${value}`).join('\n')}\ninclude_if_exists = 'user.conf'\n`;
}

const header = `# Written by Fovea at every start. Put settings of your own into user.conf beside this file.\n`;

const lines = [
  ['listen_addresses', "''"],
  ['unix_socket_permissions', '0700'],
  ['max_connections', '60'],
  ['shared_buffers', '128MB'],
  ['work_mem', '8MB'],
  ['maintenance_work_mem', '64MB'],
  ['random_page_cost', '1.1'],
  ['jit', 'off'],
  ['max_parallel_workers_per_gather', '1'],
  ['fsync', 'on'],
  ['synchronous_commit', 'on'],
  ['full_page_writes', 'on'],
  // Of the ways to compress pages this build knows the slowest alone: 0.1 ms of CPU for each page that a checkpoint left clean,
  // three to five of them for each row that is added to a large app.
  ['wal_compression', 'off'],
  ['min_wal_size', '128MB'],
  // Bounds the time of crash recovery, about one second per 100 MB here.
  ['max_wal_size', '1GB'],
  ['checkpoint_timeout', '5min'],
  ['checkpoint_completion_target', '0.9'],
  ['autovacuum_naptime', '20s'],
  // A connection whose process was killed must not run its query to the end.
  ['client_connection_check_interval', '2s'],
  ['idle_in_transaction_session_timeout', '5min'],
  ['timezone', "'UTC'"],
  ['log_timezone', "'UTC'"],
  // In a server's log this keeps out errors of single statements, which carry user data and reach the caller anyway.
  ['log_min_messages', 'log'],
  ['log_checkpoints', 'off'],
] as const;
