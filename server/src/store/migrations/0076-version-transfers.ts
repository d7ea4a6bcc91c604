/** Exports to the formats of other tools may be of a dataset version. */
export const versionTransfers = {
  number: 76,
  name: 'version-transfers',
  sql: `
-- Empty for the dataset as it is.
alter table transfers add column version_id text not null default '';
`,
};
