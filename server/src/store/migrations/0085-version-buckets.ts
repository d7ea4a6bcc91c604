/**
 * Rows of versions with the bucket of their chunk, which is what tells the database in which of a version's chunks an
 * input lies: without it each look at some inputs goes through all of them.
 */
export const versionBuckets = {
  number: 85,
  name: 'version-buckets',
  sql: `
create or replace view dataset_version_inputs as
select l.version_key, i.input_key, i.input_id, i.kind, l.bucket
from dataset_version_chunks l join dataset_chunk_inputs i on i.chunk_key = l.chunk_key;
create or replace view dataset_version_annotations as
select l.version_key, a.input_key, a.annotation_id, a.input_level, a.kinds, a.positive, a.negative, a.data, l.bucket
from dataset_version_chunks l join dataset_chunk_annotations a on a.chunk_key = l.chunk_key;
`,
};
