/**
 * Trainings that name no dataset learn from all inputs of their app. So that it stays known what they learned from,
 * an app may have one dataset, in no list, whose members are all its inputs; its versions share chunks as others do.
 */
export const appData = {
  number: 55,
  name: 'app-data',
  sql: `
alter table datasets add column of_app boolean not null default false;
create unique index datasets_of_app on datasets (app_key) where of_app;

create view dataset_members as
select m.dataset_key, m.input_key from dataset_inputs m
union all
select d.key, i.key from datasets d join inputs i on i.app_key = d.app_key where d.of_app;

-- Versions whose embedder was trained as well: their builtin names the part that they stand on.
create index model_versions_stacked on model_versions (key) where builtin like '%+%';
`,
};
