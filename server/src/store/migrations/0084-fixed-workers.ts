/** The worker of an annotation never changes, like its app and its input (0071): who it is was checked once, when it came. */
export const fixedWorkers = {
  number: 84,
  name: 'fixed-workers',
  sql: `
create trigger annotations_keep_workers before update of worker_user_key on annotations for each row
  when (old.worker_user_key is distinct from new.worker_user_key) execute function refuse_moved_reference();
`,
};
