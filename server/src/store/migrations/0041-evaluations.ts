/** Evaluations of model versions, and the inputs that each was made on: what is true of them and what the model said. */
export const evaluations = {
  number: 41,
  name: 'evaluations',
  sql: `
create table evaluations (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  id text not null,
  model_app_key bigint not null,
  model_version_key bigint not null references model_versions on delete cascade,
  model_id text not null,
  model_type_id text not null,
  -- Where the ground truth lies; without a dataset, all that is labelled in the app.
  data_app_key bigint not null,
  dataset_id text not null default '',
  truth_version_key bigint references dataset_versions on delete set null,
  predictions_version_key bigint references dataset_versions on delete set null,
  train_dataset_id text not null default '',
  -- Concepts that are judged, in the order of the scores; empty until the ground truth was read.
  concept_ids text[] not null default '{}',
  -- Of the model version, for the filter of lists.
  model_concept_ids text[] not null default '{}',
  status_code int not null,
  status_details text not null default '',
  percent_completed smallint not null default 0,
  roc_auc double precision not null default 0,
  f1 double precision not null default 0,
  avg_precision double precision not null default 0,
  avg_recall double precision not null default 0,
  mean_ap double precision not null default 0,
  -- EvalMetrics as asked for: eval_info, extended_metrics, and whose model and data it names.
  body bytea not null default '',
  -- EvalMetrics with the figures, less the test set.
  result bytea,
  -- Figures that the contract has no place for.
  numbers jsonb,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (app_key, id)
);
create index evaluations_order on evaluations (app_key, key);
create index evaluations_model on evaluations (model_version_key, key);
create index evaluations_truth on evaluations (truth_version_key) where truth_version_key is not null;
create index evaluations_predictions on evaluations (predictions_version_key) where predictions_version_key is not null;

create table evaluation_inputs (
  evaluation_key bigint not null references evaluations on delete cascade,
  position int not null,
  input_key bigint not null,
  input_id text not null,
  -- In pixels; 1 where the input is no picture.
  width int not null default 1,
  height int not null default 1,
  -- Data message: regions with their concepts, or nothing but concepts.
  truth bytea not null,
  positive text[] not null,
  -- Data message of what the model said; null until it was asked.
  predicted bytea,
  -- By concept, in the order of the evaluation's concepts; null where the model makes regions.
  scores real[],
  -- Why the model could not be asked.
  trouble text not null default '',
  -- Region by region at overlap 0.5: [{concept, outcome: tp|fp|fn, score, box}].
  matches jsonb,
  primary key (evaluation_key, position)
);
create index evaluation_inputs_open on evaluation_inputs (evaluation_key, position) where predicted is null and trouble = '';
`,
};
