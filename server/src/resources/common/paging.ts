import { type RawBuilder, sql } from 'kysely';
import { firstPosition, type Page } from '#domain/page.ts';

/**
 * The keys of one page, with their positions, without OFFSET: an index walk over keys alone, as far as the page
 * reaches. Join it to its table and order by `position`.
 *
 * `order` must name an index order ending in `key`, so that the walk stops early and pages never overlap.
 */
export function pageKeys(table: string, where: RawBuilder<unknown>, order: RawBuilder<unknown>, page: Page) {
  const first = firstPosition(page);
  return sql<{ key: number; position: number }>`(
    select key, position from (
      select key, row_number() over (order by ${order}) as position from ${sql.table(table)}
      where ${where} order by ${order} limit ${first + page.size}
    ) walked where position > ${first})`;
}

/** Conditions joined by AND; none means true. */
export const allOf = (conditions: readonly (RawBuilder<unknown> | undefined)[]): RawBuilder<unknown> => {
  const kept = conditions.filter((condition) => condition !== undefined);
  return kept.length === 0
    ? sql`true`
    : sql.join(
        kept.map((condition) => sql`(${condition})`),
        sql` and `,
      );
};

const wordsMax = 32;

/** Keyword search (every word, by its stem or as a prefix) over a `words` tsvector column; undefined when nothing is asked. */
export function wordsMatch(column: RawBuilder<unknown>, search: string): RawBuilder<unknown> | undefined {
  const query = wordsQuery(search);
  return query && sql`${column} @@ ${query}`;
}

/** How well a `words` column answers a keyword search that it meets, larger is better. */
export const wordsRank = (column: RawBuilder<unknown>, search: string): RawBuilder<unknown> =>
  sql`ts_rank(${column}, ${wordsQuery(search) ?? sql`''::tsquery`})`;

function wordsQuery(search: string): RawBuilder<unknown> | undefined {
  const words = search.match(/[\p{L}\p{N}]+/gu)?.slice(0, wordsMax);
  if (!words) return undefined;
  // The english stemmer meets 'satisfy' and 'satisfied' halfway; simple keeps ids and prefixes as they are.
  const either = words.map(
    (word) => sql`(to_tsquery('simple', ${`${word}:*`}) || to_tsquery('english', ${word}))`,
  );
  return sql`(${sql.join(either, sql` && `)})`;
}

/** The value of a `words` column for a text: exact words and their stems. */
export const wordsOf = (text: string) =>
  sql`(to_tsvector('simple', ${text}) || to_tsvector('english', ${text}))`;

/** Matches `*` wildcards case-insensitively ("gen*"); other LIKE characters are plain. */
export const wildcard = (column: RawBuilder<unknown>, pattern: string) =>
  sql`${column} ilike ${pattern.replace(/[\\%_]/g, '\\$&').replace(/\*/g, '%')}`;

/** Matches anywhere inside, case-insensitively. */
export const contains = (column: RawBuilder<unknown>, part: string) =>
  sql`${column} ilike ${`%${part.replace(/[\\%_]/g, '\\$&')}%`}`;
