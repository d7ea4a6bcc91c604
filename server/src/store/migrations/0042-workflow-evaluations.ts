/** Evaluations of one node of a workflow version, and what each is made of input by input. */
export const workflowEvaluations = {
  number: 42,
  name: 'workflow-evaluations',
  sql: `
create table workflow_evaluations (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  workflow_key bigint not null references workflows on delete cascade,
  workflow_version_key bigint not null references workflow_versions on delete cascade,
  target_node_id text not null,
  template_id text not null,
  truth_app_key bigint not null,
  truth_version_key bigint references dataset_versions on delete set null,
  status_code int not null,
  status_details text not null default '',
  -- WorkflowVersionEvaluation: whose versions it names, and its result.
  body bytea not null default '',
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index workflow_evaluations_order on workflow_evaluations (app_key, key);
create index workflow_evaluations_version on workflow_evaluations (workflow_version_key, key);
create index workflow_evaluations_workflow on workflow_evaluations (workflow_key);
create index workflow_evaluations_truth on workflow_evaluations (truth_version_key) where truth_version_key is not null;

create table workflow_evaluation_data (
  evaluation_key bigint not null references workflow_evaluations on delete cascade,
  position int not null,
  -- The contract's id of the sample.
  id text not null,
  input_key bigint not null,
  width int not null default 1,
  height int not null default 1,
  -- Data message.
  truth bytea not null,
  -- Data message of what the node said; null until the workflow ran.
  predicted bytea,
  -- WorkflowEvaluationInputResult.
  result bytea,
  trouble text not null default '',
  primary key (evaluation_key, position),
  unique (evaluation_key, id)
);
`,
};
