/**
 * In which transactions something changed in an app that a filter of a search may ask for. A process that remembers which
 * vectors meet a filter looks here whether that still holds: it does as long as no transaction is told of that was open,
 * or not begun, when the filter was asked (searches/filter-keys.ts).
 *
 * A row of its own for each transaction, so that no writer waits for another. Rows go once everybody's memory is younger.
 */
export const appChanges = {
  number: 81,
  name: 'app-changes',
  sql: `
create table app_changes (
  app_key bigint not null,
  xid xid8 not null default pg_current_xact_id(),
  primary key (app_key, xid)
);

-- Every transaction before 'mark' had ended at the time 'at'.
create table app_change_horizons (
  mark xid8 not null,
  at timestamptz not null default clock_timestamp()
);

create function tell_changes() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into app_changes (app_key) select distinct app_key from gone on conflict do nothing;
  else
    insert into app_changes (app_key) select distinct app_key from fresh on conflict do nothing;
  end if;
  return null;
end $$;

create function tell_changed_texts() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    insert into app_changes (app_key) select distinct unnest(app_keys) from gone on conflict do nothing;
  end if;
  if tg_op <> 'DELETE' then
    insert into app_changes (app_key) select distinct unnest(app_keys) from fresh on conflict do nothing;
  end if;
  return null;
end $$;

${[
  'inputs',
  'annotations',
  'annotation_concepts',
  'annotation_marks',
  'datasets',
  'dataset_inputs',
  'embeddings',
]
  .map((table) => triggers(table, 'tell_changes'))
  .join('\n')}
${triggers('annotation_texts', 'tell_changed_texts')}
`,
};

/** Of each kind one for all rows of a statement. */
function triggers(table: string, tell: string): string {
  return `
create trigger ${table}_told_in after insert on ${table} referencing new table as fresh for each statement execute function ${tell}();
create trigger ${table}_told_moved after update on ${table} referencing old table as gone new table as fresh for each statement execute function ${tell}();
create trigger ${table}_told_out after delete on ${table} referencing old table as gone for each statement execute function ${tell}();`;
}
