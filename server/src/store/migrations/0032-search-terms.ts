/**
 * What searches look for inside annotations beside labels: texts, clusters and tracks. Few annotations have any, so
 * they stand in tables of their own. Also who may see a saved search, as a column that lists can ask for.
 */
export const searchTerms = {
  number: 32,
  name: 'search-terms',
  sql: `
create table annotation_texts (
  annotation_key bigint not null references annotations on delete cascade,
  -- 'input': the text of the input itself, kept with its input-level annotation; 'annotation': what it holds.
  source text not null,
  input_key bigint not null,
  -- One app, as an array: the index then meets app and words together, whatever other apps hold.
  app_keys bigint[] not null,
  words tsvector not null,
  primary key (annotation_key, source)
);
create index annotation_texts_input on annotation_texts (input_key);
create index annotation_texts_find on annotation_texts using gin (app_keys, words);

create table annotation_marks (
  annotation_key bigint not null references annotations on delete cascade,
  kind text not null,
  value text not null,
  app_key bigint not null,
  primary key (annotation_key, kind, value)
);
create index annotation_marks_find on annotation_marks (app_key, kind, value);

alter table saved_searches add column visibility smallint not null default 10;
`,
};
