/** Tracks: which annotations of a video, by their track_id, are of one thing, and where it begins and ends. */
export const annotationTracks = {
  number: 20,
  name: 'annotation-tracks',
  sql: `
create table annotation_tracks (
  key bigint generated always as identity primary key,
  app_key bigint not null references apps on delete cascade,
  input_key bigint not null references inputs on delete cascade,
  id text not null,
  -- Empty where the track has none.
  concept_id text not null default '',
  status_code int not null default 24300,
  start_frame int not null default 0,
  end_frame int not null default 0,
  start_ms int not null default 0,
  end_ms int not null default 0,
  sample_ms int not null default 0,
  sample_frames int not null default 0,
  created_at timestamptz(3) not null default now(),
  modified_at timestamptz(3) not null default now(),
  unique (input_key, id)
);
create index annotation_tracks_order on annotation_tracks (input_key, key);
create index annotation_tracks_id on annotation_tracks (app_key, id);
`,
};
