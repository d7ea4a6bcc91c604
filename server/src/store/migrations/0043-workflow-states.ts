/** States that callers keep across runs of a workflow; each ends five minutes after it was used last. */
export const workflowStates = {
  number: 43,
  name: 'workflow-states',
  sql: `
create table workflow_states (
  app_key bigint not null references apps on delete cascade,
  id text not null,
  expires_at timestamptz(3) not null,
  primary key (app_key, id)
);
create index workflow_states_end on workflow_states (expires_at);
`,
};
