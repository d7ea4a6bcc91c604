import type { Data } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, run, sql } from '#store/sql.ts';
import { textToIndex, textVector } from '../common/text.ts';
import { partsOf } from './labels-in-data.ts';

/** All texts inside some data, at any depth, in reading order: text annotations and what OCR read. */
function textsIn(data: Data | undefined): string[] {
  if (!data) return [];
  const own = data.text?.raw ? [data.text.raw] : [];
  return [...own, ...partsOf(data).flatMap((part) => textsIn(part.data))];
}

interface Mark {
  readonly kind: 'cluster' | 'track';
  readonly value: string;
}

export function marksIn(data: Data | undefined): Mark[] {
  if (!data) return [];
  const tracks = [...data.regions.map(({ trackId }) => trackId), ...data.tracks.map(({ id }) => id)];
  return [
    ...data.clusters.map(({ id }): Mark => ({ kind: 'cluster', value: id })),
    ...tracks.map((value): Mark => ({ kind: 'track', value })),
    ...partsOf(data).flatMap((part) => marksIn(part.data)),
  ].filter(({ value }) => value !== '');
}

export interface TermHolder {
  readonly key: number;
  readonly data: Data;
}

/** All texts of some data as one. */
export const textOf = (data: Data): string => textsIn(data).join('\n');

/** Makes texts, clusters and tracks of new annotations findable. Most have none, and cost nothing. */
export async function putSearchTerms(db: Db, grant: AppGrant, holders: readonly TermHolder[]): Promise<void> {
  await putTexts(
    db,
    grant,
    holders.flatMap(({ key, data }) => {
      const text = textOf(data);
      return text === '' ? [] : [{ key, text }];
    }),
  );
  const marks = holders.flatMap(({ key, data }) => marksIn(data).map((mark) => ({ ...mark, key })));
  if (marks.length === 0) return;
  await run(
    db,
    sql`insert into annotation_marks (annotation_key, kind, value, app_key, input_key, valid_from)
        select n.key, n.kind, n.value, a.app_key, a.input_key, a.valid_from
        from unnest(${marks.map(({ key }) => key)}::bigint[], ${marks.map(({ kind }) => kind)}::text[],
          ${marks.map(({ value }) => value)}::text[]) as n(key, kind, value)
        join annotations a on a.key = n.key and a.app_key = ${grant.appKey}
        on conflict do nothing`,
  );
}

/** The same for annotations that changed. Lock them before. */
export async function replaceSearchTerms(
  db: Db,
  grant: AppGrant,
  holders: readonly TermHolder[],
): Promise<void> {
  const keys = holders.map(({ key }) => key);
  await run(
    db,
    sql`delete from annotation_texts where annotation_key = any(${keys}::bigint[]) and source = 'annotation'`,
  );
  await run(db, sql`delete from annotation_marks where annotation_key = any(${keys}::bigint[])`);
  await putSearchTerms(db, grant, holders);
}

/** Makes inputs findable by their own text; inputs that are gone are passed over. */
export async function putInputTexts(
  db: Db,
  grant: AppGrant,
  texts: readonly { inputKey: number; text: string }[],
): Promise<void> {
  if (texts.length === 0) return;
  await run(
    db,
    sql`insert into annotation_texts (annotation_key, source, input_key, app_keys, words)
        select a.key, 'input', a.input_key, array[a.app_key], ${textVector(grant.defaultLanguage, sql`n.text`)}
        from unnest(${texts.map(({ inputKey }) => inputKey)}::bigint[],
          ${texts.map(({ text }) => textToIndex(text))}::text[]) as n(input_key, text)
        join annotations a on a.input_key = n.input_key and a.input_level and a.app_key = ${grant.appKey}
        on conflict (annotation_key, source) do update set words = excluded.words`,
  );
}

async function putTexts(
  db: Db,
  grant: AppGrant,
  texts: readonly { key: number; text: string }[],
): Promise<void> {
  if (texts.length === 0) return;
  await run(
    db,
    sql`insert into annotation_texts (annotation_key, source, input_key, app_keys, words, valid_from)
        select a.key, 'annotation', a.input_key, array[a.app_key], ${textVector(grant.defaultLanguage, sql`n.text`)}, a.valid_from
        from unnest(${texts.map(({ key }) => key)}::bigint[], ${texts.map(({ text }) => textToIndex(text))}::text[]) as n(key, text)
        join annotations a on a.key = n.key and a.app_key = ${grant.appKey}
        on conflict do nothing`,
  );
}
