/** Model versions that are answered by a service elsewhere. */
export const modelBackends = {
  number: 46,
  name: 'model-backends',
  sql: `
create table model_backends (
  version_key bigint primary key references model_versions on delete cascade,
  app_key bigint not null references apps on delete cascade,
  -- openai or kserve.
  kind text not null,
  url text not null,
  remote_model text not null,
  -- The credential, sealed; null where the service asks for none.
  sealed_key bytea,
  timeout_ms int not null
);
`,
};
